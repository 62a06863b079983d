import { expect, test } from 'vitest';
import { PointGrid } from './point-grid.ts';

const side = 40;
const xs = Array.from({ length: side * side }, (_, n) => n % side);
const ys = Array.from({ length: side * side }, (_, n) => Math.floor(n / side));

test('the nearest point is found, or none if none is near', () => {
  const grid = new PointGrid(xs, ys);
  expect(grid.nearest({ x: 7.2, y: 3.1 }, 0.5)).toBe(3 * side + 7);
  expect(grid.nearest({ x: 7.5, y: 3.5 }, 0.5)).toBeUndefined();
  expect(grid.nearest({ x: -30, y: -30 }, 5)).toBeUndefined();
  expect(new PointGrid([], []).nearest({ x: 0, y: 0 }, 9)).toBeUndefined();
  expect(new PointGrid([1, 1], [2, 2]).nearest({ x: 1, y: 2 }, 1)).toBe(1);
});

test('a closed line selects the points inside it', () => {
  const grid = new PointGrid(xs, ys);
  const square = [
    { x: -0.5, y: -0.5 },
    { x: 2.5, y: -0.5 },
    { x: 2.5, y: 1.5 },
    { x: -0.5, y: 1.5 },
  ];
  expect(grid.inside(square)).toEqual([0, 1, 2, side, side + 1, side + 2]);
  expect(grid.inside(square.slice(0, 2))).toEqual([]);
});
