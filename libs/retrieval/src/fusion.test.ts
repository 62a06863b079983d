import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fuseByRank, fuseByScore, standardScores, type RankedList } from './fusion.ts';

const list = (keys: string, weight = 1): RankedList => ({
  weight,
  hits: [...keys].map((key, n) => ({ key, score: 10 - n })),
});
const keysOf = (fused: { key: string }[]) => fused.map(({ key }) => key).join('');

/** A list of different keys with descending scores. */
const anyList = fc
  .tuple(
    fc.uniqueArray(fc.constantFrom(...'abcdefghij'), { maxLength: 8 }),
    fc.array(fc.integer({ min: -40, max: 400 }), { minLength: 8, maxLength: 8 }),
    fc.double({ min: 0.1, max: 3, noNaN: true }),
  )
  .map(([keys, scores, weight]): RankedList => {
    const sorted = scores.toSorted((a, b) => b - a);
    return { weight, hits: keys.map((key, n) => ({ key, score: sorted[n]! })) };
  });

describe('fusion by ranks', () => {
  test('sums weight / (k + rank)', () => {
    expect(fuseByRank([list('ab'), list('b', 2)], 60)).toEqual([
      { key: 'b', score: 1 / 62 + 2 / 61 },
      { key: 'a', score: 1 / 61 },
    ]);
  });

  test('what two lists agree on comes before what one has first', () => {
    expect(keysOf(fuseByRank([list('axb'), list('cxd')], 60))[0]).toBe('x');
  });

  test('equal scores have equal ranks: in which order they came makes no difference', () => {
    const hits = [7, 5, 5, 5, 2].map((score, n) => ({ key: 'abcde'[n]!, score }));
    const ranks = fuseByRank([{ weight: 1, hits }], 60).map(({ key, score }) => [key, 1 / score - 60]);
    expect(ranks.map(([key, rank]) => `${key}${Math.round(Number(rank))}`)).toEqual([
      'a1',
      'b2',
      'c2',
      'd2',
      'e5',
    ]);
  });

  test('keeps the order of a single list, and of equal ones that in which they came', () => {
    expect(keysOf(fuseByRank([list('dbca')], 60))).toBe('dbca');
    expect(keysOf(fuseByRank([list('ab'), list('ba')], 60))).toBe('ab');
  });
});

describe('fusion by scores', () => {
  test('scales each list by three standard deviations on each side of its mean', () => {
    const hits = [5, 3, 1].map((score, n) => ({ key: 'abc'[n]!, score }));
    const fused = fuseByScore([{ weight: 1, hits }]);
    // Mean 3, sample standard deviation 2: 5 maps to (5 − (3 − 6)) / 12.
    expect(fused).toEqual([
      { key: 'a', score: 8 / 12 },
      { key: 'b', score: 6 / 12 },
      { key: 'c', score: expect.closeTo(4 / 12, 10) as number },
    ]);
  });

  test('a list of one, or of equal scores, gives half its weight', () => {
    expect(fuseByScore([list('a', 3)])).toEqual([{ key: 'a', score: 1.5 }]);
    const hits = ['a', 'b'].map((key) => ({ key, score: 0.1 + 0.2 }));
    expect(fuseByScore([{ weight: 1, hits }]).map(({ score }) => score)).toEqual([0.5, 0.5]);
  });

  test('what a list lacks counts as its last hit, so that it can be found by another list alone', () => {
    const words = { weight: 1, hits: [9, 8, 7, 6].map((score, n) => ({ key: 'abcd'[n]!, score })) };
    const dense = { weight: 1, hits: [0.9, 0.4, 0.35].map((score, n) => ({ key: 'xda'[n]!, score })) };
    const scores = new Map(fuseByScore([words, dense]).map(({ key, score }) => [key, score]));
    const only = new Map(fuseByScore([dense]).map(({ key, score }) => [key, score]));
    const last = fuseByScore([words]).at(-1)!.score;
    expect(scores.get('x')).toBeCloseTo(only.get('x')! + last, 10);
    expect(scores.get('x')!).toBeGreaterThan(scores.get('d')!);
  });

  test('or as what it is known to score, so that the only one with a word comes before all without it', () => {
    const dense = { weight: 1, hits: [0.9, 0.8, 0.7].map((score, n) => ({ key: 'xyz'[n]!, score })) };
    const one = { weight: 1, hits: [{ key: 'z', score: 7 }], others: 0 };
    const scores = new Map(fuseByScore([dense, one]).map(({ key, score }) => [key, score]));
    const alone = new Map(fuseByScore([dense]).map(({ key, score }) => [key, score]));
    expect(scores.get('z')).toBeCloseTo(alone.get('z')! + 0.5, 10);
    expect(scores.get('x')).toBeCloseTo(alone.get('x')!, 10);
    const few = { weight: 1, hits: [8, 7.99].map((score, n) => ({ key: 'zy'[n]!, score })), others: 0 };
    const known = new Map(fuseByScore([dense, few]).map(({ key, score }) => [key, score]));
    expect(known.get('x')).toBeCloseTo(alone.get('x')!, 10);
  });

  test('does not depend on the unit of a list’s scores', () => {
    fc.assert(
      fc.property(anyList, anyList, fc.integer({ min: 1, max: 100 }), (a, b, unit) => {
        const scaled = { ...b, hits: b.hits.map(({ key, score }) => ({ key, score: score * unit + 7 })) };
        const [before, after] = [fuseByScore([a, b]), fuseByScore([a, scaled])];
        const scores = new Map(after.map(({ key, score }) => [key, score]));
        for (const { key, score } of before) expect(scores.get(key)).toBeCloseTo(score, 4);
      }),
    );
  });
});

test('both have every key once, best first, whatever the lists', () => {
  fc.assert(
    fc.property(fc.array(anyList, { maxLength: 4 }), (lists) => {
      const all = new Set(lists.flatMap(({ hits }) => hits.map(({ key }) => key)));
      for (const fused of [fuseByRank(lists, 60), fuseByScore(lists)]) {
        expect(fused.map(({ key }) => key).toSorted()).toEqual([...all].toSorted());
        for (let n = 1; n < fused.length; n += 1)
          expect(fused[n - 1]!.score).toBeGreaterThanOrEqual(fused[n]!.score);
      }
    }),
  );
});

test('both say what of a score came from the lists of each name, and nothing of lists without one', () => {
  fc.assert(
    fc.property(fc.array(anyList, { maxLength: 4 }), (lists) => {
      const named = lists.map((one, n) => ({ ...one, name: n % 2 === 0 ? 'even' : 'odd' }));
      for (const fuse of [(some: RankedList[]) => fuseByRank(some, 60), fuseByScore]) {
        expect(fuse(lists).every((one) => !('parts' in one))).toBe(true);
        expect(fuse(named).map(({ key, score }) => ({ key, score }))).toEqual(fuse(lists));
        for (const { key, score, parts } of fuse(named)) {
          const sum = Object.values(parts!).reduce((total, part) => total + part, 0);
          expect(sum, key).toBeCloseTo(score, 9);
        }
      }
    }),
  );
});

test('both give a hit no less when it rises in a list', () => {
  fc.assert(
    fc.property(anyList, anyList, fc.nat({ max: 6 }), (a, b, at) => {
      const [upper, lower] = [a.hits[at], a.hits[at + 1]];
      if (upper === undefined || lower === undefined) return;
      const swapped = {
        ...a,
        hits: a.hits
          .with(at, { key: lower.key, score: upper.score })
          .with(at + 1, { key: upper.key, score: lower.score }),
      };
      const scoreIn = (
        lists: RankedList[],
        fuse: (lists: RankedList[]) => { key: string; score: number }[],
      ) => fuse(lists).find(({ key }) => key === lower.key)!.score;
      for (const fuse of [(lists: RankedList[]) => fuseByRank(lists, 60), fuseByScore])
        expect(scoreIn([swapped, b], fuse)).toBeGreaterThanOrEqual(scoreIn([a, b], fuse) - 1e-12);
    }),
  );
});

test('standard scores have a mean of 0 and a deviation of 1, unless all are equal', () => {
  expect(standardScores([3, 1])).toEqual([1, -1]);
  expect(standardScores([2, 2, 2])).toEqual([0, 0, 0]);
});
