import { expect, it } from 'vitest';
import { averageRows, normalizeRows } from './pooling.ts';

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
