import fc from 'fast-check';
import { expect, test } from 'vitest';
import { areAllSettled, isSettled, withSettled, type SettledShards } from './settled-shards.ts';

const indices = fc.array(fc.integer({ min: 0, max: 40 }));

test('holds what was put in and nothing else, in the fewest runs', () => {
  fc.assert(
    fc.property(indices, (added) => {
      const settled = added.reduce<SettledShards>(withSettled, []);
      const wanted = new Set(added);
      for (let index = 0; index <= 42; index += 1) {
        expect(isSettled(settled, index)).toBe(wanted.has(index));
      }
      for (const [n, [from, to]] of settled.entries()) {
        expect(from).toBeLessThan(to);
        expect(from).toBeGreaterThan(settled[n - 1]?.[1] ?? -1);
      }
    }),
  );
});

test('is complete when every shard of the job is in it', () => {
  fc.assert(
    fc.property(indices, fc.integer({ min: 0, max: 40 }), (added, shards) => {
      const settled = added.reduce<SettledShards>(withSettled, []);
      const wanted = Array.from({ length: shards }, (_, n) => n);
      expect(areAllSettled(settled, shards)).toBe(wanted.every((index) => added.includes(index)));
    }),
  );
});
