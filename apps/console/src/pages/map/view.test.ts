import { expect, test } from 'vitest';
import { fitted, panned, toMap, toScreen, zoomed } from './view.ts';

test('a fitted view shows all points, whatever their shape', () => {
  const xs = [-2, 10, 3];
  const ys = [5, 6, 5.5];
  const view = fitted(xs, ys, 800, 400);
  for (const [n, x] of xs.entries()) {
    const place = toScreen(view, { x, y: ys[n] ?? 0 });
    expect(place.x).toBeGreaterThanOrEqual(24);
    expect(place.x).toBeLessThanOrEqual(776);
    expect(place.y).toBeGreaterThan(0);
    expect(place.y).toBeLessThan(400);
  }
  expect(fitted([1], [1], 100, 100).scale).toBeGreaterThan(0);
});

test('zooming keeps what is under the pointer in place', () => {
  const view = fitted([0, 1], [0, 1], 300, 300);
  const at = { x: 70, y: 220 };
  const before = toMap(view, at);
  const after = toMap(zoomed(view, 3, at), at);
  expect(after.x).toBeCloseTo(before.x);
  expect(after.y).toBeCloseTo(before.y);
});

test('converting a place to the screen and back gives the same place', () => {
  const view = panned({ scale: 7, x: 3, y: 4 }, 10, -20);
  const place = toScreen(view, { x: 1.5, y: -2 });
  expect(toMap(view, place).x).toBeCloseTo(1.5);
  expect(toMap(view, place).y).toBeCloseTo(-2);
});
