import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Places } from './places.ts';

function taken(places: Places, principal: string, asked: number, isOperator = false): number {
  let count = 0;
  while (count < asked && places.take(principal, isOperator) === undefined) count += 1;
  return count;
}

test.each([1, 2, 3, 16, 64, 1000])('alone, a principal may have all of %i places', (most) => {
  const places = new Places(most);
  expect(taken(places, 'alone', 10_000)).toBe(most);
  places.giveBack('alone');
  expect(taken(places, 'alone', 10_000)).toBe(1);
});

test.each([16, 64, 1000])(
  'of %i, those who come later find room beside those who took all they could',
  (most) => {
    const places = new Places(most);
    for (const [n, least] of [most, most / 4, 1].entries()) {
      expect(taken(places, `p${n}`, 10_000), `p${n}`).toBeGreaterThanOrEqual(least);
    }
  },
);

test('an operator always finds room, whatever others hold', () => {
  const places = new Places(4);
  for (let n = 0; n < 50; n += 1) taken(places, `p${n}`, 100);
  expect(taken(places, 'operator', 100, true)).toBeGreaterThanOrEqual(4);
});

test('no more is ever taken than there is, and all of it comes back', () => {
  const step = fc.record({ who: fc.constantFrom('a', 'b', 'c'), back: fc.boolean() });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(step, { maxLength: 200 }), (most, steps) => {
      const places = new Places(most);
      const held = { a: 0, b: 0, c: 0 } as Record<string, number>;
      for (const { who, back } of steps) {
        const own = held[who] ?? 0;
        if (back && own > 0) {
          places.giveBack(who);
          held[who] = own - 1;
        } else if (!back && places.take(who, false) === undefined) held[who] = own + 1;
      }
      const all = Object.values(held).reduce((sum, count) => sum + count, 0);
      expect(all).toBeLessThanOrEqual(Math.ceil(most * 1.5));
      for (const [who, count] of Object.entries(held)) {
        expect(count).toBeLessThanOrEqual(most);
        for (let n = 0; n < count; n += 1) places.giveBack(who);
      }
      expect(taken(places, 'alone', 1000)).toBe(most);
    }),
  );
});
