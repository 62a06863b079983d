import { expect, it } from 'vitest';
import { averageHeads, averageRows, normalizeRows, withoutPadding } from './pooling.ts';

it('averages each row’s sum over the tokens of its own sequence', () => {
  expect([...averageRows(Float32Array.of(4, 6, 21, 24), Int32Array.of(2, 3), 2)]).toEqual([2, 3, 7, 8]);
});

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

it('leaves the vectors alone that are to be raw', () => {
  const scaled = normalizeRows(Float32Array.of(3, 4, 3, 4, 0, 5), 2, [false, true]);
  expect([...scaled]).toEqual([Math.fround(0.6), Math.fround(0.8), 3, 4, 0, 1]);
});

it('averages heads for the real tokens of each sequence', () => {
  const ofFirst = [1, 2, 9, 3, 4, 9];
  const ofSecond = [5, 6, 7, 7, 8, 9];
  const means = averageHeads(Float32Array.of(...ofFirst, ...ofSecond), Int32Array.of(2, 3), 2, 3);
  expect([...means]).toEqual([2, 3, 6, 7, 8]);
});

it('leaves out the rows of padding, on either side', () => {
  const rows = Float32Array.of(1, 1, 0, 0, 2, 2, 3, 3);
  const lengths = Int32Array.of(1, 2);
  expect([...withoutPadding(rows, lengths, { longest: 2, dims: 2 })]).toEqual([1, 1, 2, 2, 3, 3]);
  const left = Float32Array.of(0, 0, 1, 1, 2, 2, 3, 3);
  expect([...withoutPadding(left, lengths, { longest: 2, dims: 2, isLeft: true })]).toEqual([
    1, 1, 2, 2, 3, 3,
  ]);
});

it('has zeros for the first tokens where the graph leaves them out', () => {
  const rows = Float32Array.of(2, 9, 5, 6);
  const real = withoutPadding(rows, Int32Array.of(2, 3), { longest: 2, dims: 1 });
  expect([...real]).toEqual([0, 2, 0, 5, 6]);
});
