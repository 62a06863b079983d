import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { meanInterval, ndcgAt, recallAt, reciprocalRank } from './measures.ts';

const relevance = new Map([
  ['a', 3],
  ['b', 1],
  ['c', 2],
  ['n', 0],
]);

describe('nDCG', () => {
  test('of the best order is 1, of none relevant 0', () => {
    expect(ndcgAt(10, ['a', 'c', 'b'], relevance)).toBe(1);
    expect(ndcgAt(10, ['n', 'x'], relevance)).toBe(0);
    expect(ndcgAt(10, [], relevance)).toBe(0);
    expect(ndcgAt(10, ['a'], new Map())).toBe(0);
  });

  test('is what the formula gives', () => {
    const gained = 1 / Math.log2(2) + 0 / Math.log2(3) + 3 / Math.log2(4);
    const ideal = 3 / Math.log2(2) + 2 / Math.log2(3) + 1 / Math.log2(4);
    expect(ndcgAt(10, ['b', 'x', 'a'], relevance)).toBeCloseTo(gained / ideal, 12);
  });

  test('looks at the first k only', () => {
    expect(ndcgAt(2, ['x', 'y', 'a'], relevance)).toBe(0);
  });

  test('is between 0 and 1, and no less when a better document comes earlier', () => {
    const ids = [...'abcdefgh'];
    fc.assert(
      fc.property(
        fc.shuffledSubarray(ids),
        fc.dictionary(fc.constantFrom(...ids), fc.integer({ min: -1, max: 4 })),
        fc.nat({ max: 6 }),
        (ranking, grades, at) => {
          const judged = new Map(Object.entries(grades));
          const value = ndcgAt(10, ranking, judged);
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThanOrEqual(1 + 1e-12);
          const [first, second] = [ranking[at], ranking[at + 1]];
          if (first === undefined || second === undefined) return;
          if (Math.max(0, judged.get(second) ?? 0) <= Math.max(0, judged.get(first) ?? 0)) return;
          const better = ranking.with(at, second).with(at + 1, first);
          expect(ndcgAt(10, better, judged)).toBeGreaterThan(value);
        },
      ),
    );
  });
});

test('recall is the part of the relevant ones that were found', () => {
  expect(recallAt(100, ['n', 'b', 'x'], relevance)).toBeCloseTo(1 / 3, 12);
  expect(recallAt(1, ['n', 'b'], relevance)).toBe(0);
  expect(recallAt(100, ['a'], new Map([['n', 0]]))).toBe(0);
});

test('the reciprocal rank is that of the first relevant one', () => {
  expect(reciprocalRank(['x', 'n', 'b', 'a'], relevance)).toBeCloseTo(1 / 3, 12);
  expect(reciprocalRank(['x'], relevance)).toBe(0);
});

describe('the interval of a mean', () => {
  test('is the same each time, and has the mean in it', () => {
    const values = Array.from({ length: 50 }, (_, n) => (n * 37) % 11);
    const interval = meanInterval(values);
    expect(interval).toEqual(meanInterval(values));
    expect(interval.low).toBeLessThan(interval.mean);
    expect(interval.high).toBeGreaterThan(interval.mean);
  });

  test('is about two standard errors on each side', () => {
    const values = Array.from({ length: 400 }, (_, n) => n % 2);
    const { mean, low, high } = meanInterval(values);
    expect(mean).toBe(0.5);
    expect(low).toBeCloseTo(0.5 - 1.96 * 0.025, 2);
    expect(high).toBeCloseTo(0.5 + 1.96 * 0.025, 2);
  });

  test('of equal values is nothing', () => {
    expect(meanInterval([0.3, 0.3, 0.3])).toEqual({
      mean: expect.closeTo(0.3) as number,
      low: expect.closeTo(0.3) as number,
      high: expect.closeTo(0.3) as number,
    });
  });
});
