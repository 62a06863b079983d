import { expect, test } from 'vitest';
import { scaleRows } from './scale-out.ts';

test('a number of workers is compared with one worker of the same round, not with the mean', () => {
  // The machine was half as fast in the second round, for every count.
  const rows = scaleRows([
    [10_000, 19_000],
    [5_000, 9_500],
    [8_000, 12_000],
  ]);
  expect(rows).toEqual([
    { workers: 1, tokensPerSecond: 8_000, ofOne: { median: 1, least: 1, greatest: 1 } },
    { workers: 2, tokensPerSecond: 12_000, ofOne: { median: 1.9, least: 1.5, greatest: 1.9 } },
  ]);
});
