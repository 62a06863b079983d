import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalizeRows, poolTokens } from './pooling.ts';

describe('poolTokens', () => {
  const states = Float32Array.of(1, 2, 3, 4, 99, 99, 5, 6, 7, 8, 9, 10);

  it('takes the mean over a sequence’s own tokens, not over its padding', () => {
    expect([...poolTokens(states, Int32Array.of(2, 3), 3, 2, 'mean')]).toEqual([2, 3, 7, 8]);
  });

  it('takes the first token for cls', () => {
    expect([...poolTokens(states, Int32Array.of(2, 3), 3, 2, 'cls')]).toEqual([1, 2, 5, 6]);
  });

  it('gives the same bits however much padding follows', () => {
    const value = fc.float({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100 });
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 4, maxLength: 40 }),
        fc.integer({ min: 0, max: 5 }),
        (values, padding) => {
          const dims = 4;
          const length = Math.floor(values.length / dims);
          const own = values.slice(0, length * dims);
          const padded = [...own, ...Array.from({ length: padding * dims }, () => 1e9)];
          const alone = poolTokens(Float32Array.from(own), Int32Array.of(length), length, dims, 'mean');
          const beside = poolTokens(
            Float32Array.from(padded),
            Int32Array.of(length),
            length + padding,
            dims,
            'mean',
          );
          expect(beside).toEqual(alone);
        },
      ),
    );
  });
});

describe('normalizeRows', () => {
  it('scales each vector to length 1, and leaves zeros', () => {
    expect([...normalizeRows(Float32Array.of(3, 4, 0, 0, 0, -2), 2)]).toEqual([
      Math.fround(0.6),
      Math.fround(0.8),
      0,
      0,
      0,
      -1,
    ]);
  });
});
