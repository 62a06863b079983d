import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { combineExamples, cosine, likeness, shortened, withFeedback } from './dense.ts';
import { lateInteraction } from './late-interaction.ts';

const unit = (...values: number[]) => {
  const length = Math.hypot(...values);
  return Float32Array.from(values, (value) => value / length);
};
const anyUnit = fc
  .array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 6, maxLength: 6 })
  .filter((values) => Math.hypot(...values) > 0.1)
  .map((values) => unit(...values));

describe('vectors', () => {
  test('are cut and brought back to length 1, or stay what they are', () => {
    const vector = unit(3, 4, 12);
    const cut = shortened(vector, 2);
    expect(cut).toHaveLength(2);
    expect(cosine(cut, unit(3, 4))).toBeCloseTo(1, 6);
    expect(shortened(vector, 3)).toBe(vector);
    expect(shortened(Float32Array.of(0, 0, 1), 2)).toEqual(Float32Array.of(0, 0));
  });

  test('of examples point to what is like the positives and unlike the negatives', () => {
    const [king, man, woman] = [unit(1, 1, 0), unit(0, 1, 0), unit(0, 0, 1)];
    const combined = combineExamples([king, woman], [man]);
    expect(cosine(combined, unit(1, 0, 1))).toBeGreaterThan(cosine(combined, king));
    expect(Math.hypot(...combined)).toBeCloseTo(1, 6);
  });

  test('are liked by their nearest positive, and come last where a negative is nearer', () => {
    const [a, b, n] = [unit(1, 0, 0), unit(0, 1, 0), unit(0, 0, 1)];
    const candidates = [unit(0.2, 0.1, 1), unit(0.9, 0, 0.1), unit(0, 1, 0.2), unit(0.5, 0.5, 0.1), n];
    const order = candidates.toSorted((x, y) => likeness(y, [a, b], [n]) - likeness(x, [a, b], [n]));
    expect(order).toEqual([candidates[1], candidates[2], candidates[3], candidates[0], n]);
    expect(likeness(a, [a], [])).toBeCloseTo(1, 6);
  });

  test('are drawn towards what answered best', () => {
    const [query, best] = [unit(1, 0, 0), [unit(0, 1, 0), unit(0, 1, 0.1)]];
    const drawn = withFeedback(query, best);
    expect(cosine(drawn, unit(1, 1, 0))).toBeGreaterThan(0.99);
    expect(withFeedback(query, [])).toBe(query);
  });
});

describe('late interaction', () => {
  const packed = (...rows: Float32Array[]) => Float32Array.from(rows.flatMap((row) => [...row]));

  test('is the mean over the query’s tokens of the greatest cosine, to the sixth power', () => {
    const query = packed(unit(1, 0), unit(0, 1));
    const document = packed(unit(1, 0), unit(1, 1), unit(-1, 0));
    expect(lateInteraction(query, [1, 1], document, 2)).toBeCloseTo((1 + Math.SQRT1_2 ** 6) / 2, 6);
  });

  test('weights say which of the query’s tokens count', () => {
    const query = packed(unit(1, 0), unit(0, 1));
    expect(lateInteraction(query, [3, 1], packed(unit(1, 0)), 2)).toBeCloseTo(0.75, 6);
    expect(lateInteraction(query, [0, 0], packed(unit(1, 0)), 2)).toBe(0);
  });

  test('of nothing, or with opposites alone, is 0', () => {
    expect(lateInteraction(packed(unit(1, 0)), [1], new Float32Array(), 2)).toBe(0);
    expect(lateInteraction(new Float32Array(), [], packed(unit(1, 0)), 2)).toBe(0);
    expect(lateInteraction(packed(unit(1, 0)), [1], packed(unit(-1, 0)), 2)).toBe(0);
  });

  test('is from 0 to 1, 1 for a document that has all of the query, and more is never worse', () => {
    const rows = fc.array(anyUnit, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(rows, rows, anyUnit, (query, document, more) => {
        const scoreOf = (...rows: Float32Array[]) =>
          lateInteraction(
            packed(...query),
            query.map(() => 2),
            packed(...rows),
            6,
          );
        const score = scoreOf(...document);
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(1 + 1e-5);
        expect(scoreOf(...document, more)).toBeGreaterThanOrEqual(score);
        expect(scoreOf(...document, ...query)).toBeCloseTo(1, 4);
      }),
    );
  });
});
