import { expect, test } from 'vitest';
import { coloursOf } from './colours.ts';

const names = (value: unknown) => String(value);

test('the most frequent values have colours of their own, and those that are equal have the same', () => {
  const { colours, legend } = coloursOf(['a', 'b', 'a', null], names);
  expect(colours[0]).toBe(colours[2]);
  expect(new Set(colours).size).toBe(3);
  expect(legend.map(({ name, count }) => [name, count])).toEqual([
    ['a', 2],
    ['b', 1],
    ['null', 1],
  ]);
});

test('numbers of many values go in steps that have as many points each', () => {
  const { colours, legend } = coloursOf(
    Array.from({ length: 100 }, (_, n) => n),
    names,
  );
  expect(legend.map(({ name, count }) => [name, count])).toEqual([
    ['≥ 0', 20],
    ['≥ 20', 20],
    ['≥ 40', 20],
    ['≥ 60', 20],
    ['≥ 80', 20],
  ]);
  expect(colours[0]).not.toBe(colours[99]);
});
