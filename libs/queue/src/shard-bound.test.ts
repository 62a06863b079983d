import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ADDED_AT_ONCE, ShardBound } from './shard-bound.ts';

test('a job has its share at once, and no more while others’ shards wait', () => {
  const bound = new ShardBound({ perJob: 32, most: 10_000 });
  expect(bound.room({ outstanding: 0, waiting: 0 })).toBe(32);
  expect(bound.room({ outstanding: 32, waiting: 40 })).toBe(0);
  expect(bound.room({ outstanding: 30, waiting: 40 })).toBe(2);
});

test('a queue that is found empty again and again is filled twice as far each time', () => {
  const bound = new ShardBound({ perJob: 32, most: 200 });
  const rooms = [0, 32, 96, 150].map((outstanding) => bound.room({ outstanding, waiting: 0 }));
  expect(rooms).toEqual([32, 64, 104, 50]);
});

test('a lead that is not needed shrinks, down to what each job has in any case', () => {
  const bound = new ShardBound({ perJob: 4, most: 1000 });
  let highest = 0;
  let waiting = 0;
  const look = (taken: number): void => {
    waiting += bound.room({ outstanding: waiting, waiting });
    highest = Math.max(highest, waiting);
    waiting = Math.max(0, waiting - taken);
  };
  for (let n = 0; n < 20; n += 1) look(200);
  expect(highest).toBeGreaterThan(200);
  highest = 0;
  for (let n = 0; n < 2000; n += 1) look(1);
  expect(waiting).toBeLessThan(5);
});

test('what is added in steps does not make the lead longer', () => {
  const bound = new ShardBound({ perJob: 32, most: 10_000 });
  let added = 0;
  // Workers take all that there is, as they do when they have just begun.
  for (let look = 0; look < 8; look += 1) added += bound.room({ outstanding: added, waiting: 0 });
  expect(added).toBe(32 + 64 + 128 + 256 + 3 * ADDED_AT_ONCE + ADDED_AT_ONCE);
});

test('a small job gets its share at once, whatever others have waiting', () => {
  const bound = new ShardBound({ perJob: 32, most: 10_000 });
  for (let look = 0; look < 6; look += 1) bound.room({ outstanding: 0, waiting: 0 });
  expect(bound.room({ outstanding: 0, waiting: 900 })).toBeGreaterThanOrEqual(32);
});

test('whatever is seen, no job gets beyond the most, and none is kept below its share', () => {
  const looks = fc.array(fc.record({ outstanding: fc.nat(200), waiting: fc.nat(500) }), { maxLength: 50 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 100 }),
      looks,
      (perJob, most, seen) => {
        const bound = new ShardBound({ perJob, most });
        const highest = Math.max(perJob, most);
        for (const look of seen) {
          const room = bound.room(look);
          expect(Number.isInteger(room)).toBe(true);
          expect(room).toBeGreaterThanOrEqual(0);
          if (room > 0) expect(look.outstanding + room).toBeLessThanOrEqual(highest);
          expect(look.outstanding + room).toBeGreaterThanOrEqual(Math.min(perJob, highest));
        }
      },
    ),
  );
});
