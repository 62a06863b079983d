import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inverseFrequency } from '../inverse-frequency.ts';
import { TermFrequencies } from './term-frequencies.ts';

describe('term frequencies', () => {
  test('are those of the points that are there, whatever came and went', () => {
    const term = fc.oneof(fc.nat({ max: 40 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
    const point = fc.uniqueArray(term, { maxLength: 30 });
    fc.assert(
      fc.property(fc.array(fc.tuple(point, fc.boolean()), { maxLength: 120 }), (points) => {
        const frequencies = new TermFrequencies();
        for (const [terms] of points) frequencies.add(Uint32Array.from(terms));
        for (const [terms, goes] of points) if (goes) frequencies.remove(Uint32Array.from(terms));
        const staying = points.filter(([terms, goes]) => !goes && terms.length > 0).map(([terms]) => terms);
        expect(frequencies.points).toBe(staying.length);
        for (const one of new Set(points.flatMap(([terms]) => terms))) {
          const count = staying.filter((terms) => terms.includes(one)).length;
          expect(frequencies.count(one)).toBe(count);
          expect(frequencies.idf(one) > 0).toBe(count > 0);
        }
      }),
    );
  });

  test('of ids at the ends of their range, and of none', () => {
    const frequencies = new TermFrequencies();
    frequencies.add(new Uint32Array([0, 1, 2 ** 32 - 2, 2 ** 32 - 1]));
    frequencies.add(new Uint32Array([2 ** 32 - 1]));
    expect([0, 1, 2 ** 32 - 2, 2 ** 32 - 1, 7].map((id) => frequencies.count(id))).toEqual([1, 1, 1, 2, 0]);
  });

  test('a term that half of the points have has an idf of ln 2, and none is below 0', () => {
    expect(inverseFrequency(10, 5)).toBeCloseTo(Math.log(2), 12);
    expect(inverseFrequency(1, 1)).toBeCloseTo(Math.log(1 + 0.5 / 1.5), 12);
    expect(inverseFrequency(1000, 1000)).toBeGreaterThan(0);
  });
});
