import { expect, test } from 'vitest';
import { windowOf } from './use-window.ts';

test('of ten thousand rows, only those in view and a few around them are drawn', () => {
  expect(windowOf(0, 500, 50, 10_000)).toEqual({ first: 0, end: 18 });
  expect(windowOf(250_000, 500, 50, 10_000)).toEqual({ first: 4992, end: 5018 });
  expect(windowOf(499_500, 500, 50, 10_000)).toEqual({ first: 9982, end: 10_000 });
});

test('a list that became shorter than its scroll position still has a row', () => {
  expect(windowOf(250_000, 500, 50, 3)).toEqual({ first: 2, end: 3 });
  expect(windowOf(0, 500, 50, 0)).toEqual({ first: 0, end: 0 });
});
