import { expect, test } from 'vitest';
import { clusterColours, coloursOf } from './colours.ts';

const names = (value: unknown) => String(value);

test('the most frequent values each have a colour of their own', () => {
  const { colours, legend } = coloursOf(['a', 'b', 'a', null], names);
  expect(colours[0]).toBe(colours[2]);
  expect(new Set(colours).size).toBe(3);
  expect(legend.map(({ name, count }) => [name, count])).toEqual([
    ['a', 2],
    ['b', 1],
    ['null', 1],
  ]);
});

test('many distinct numbers are divided into steps with equally many points', () => {
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

test('clusters have names, counts and colours, which repeat if there are many clusters', () => {
  const clusters = Array.from({ length: 24 }, (_, n) => n % 12);
  const { colours, legend } = clusterColours(
    clusters,
    Array.from({ length: 12 }, (_, n) => `cluster ${n}`),
  );
  expect(legend).toHaveLength(12);
  expect(legend[3]).toMatchObject({ name: 'cluster 3', count: 2 });
  expect(colours[3]).toBe(colours[15]);
  expect(colours[0]).not.toBe(colours[1]);
  expect(colours[0]).toBe(colours[10]);
});
