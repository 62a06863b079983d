import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EngineTime } from './engine-time.ts';

test('a batch’s time is its shards’ by their tokens, and is taken once', () => {
  const time = new EngineTime();
  time.add(
    1,
    new Map([
      ['job_a-0', 300],
      ['job_a-1', 100],
    ]),
  );
  time.add(0.5, new Map([['job_a-1', 20]]));
  expect(time.take('job_a', 0)).toBe(750);
  expect(time.take('job_a', 1)).toBe(750);
  expect([time.take('job_a', 0), time.take('job_b', 0)]).toEqual([0, 0]);
});

test('whatever the batches, no time is lost or added except by rounding', () => {
  const batch = fc.tuple(
    fc.double({ min: 0, max: 10, noNaN: true }),
    fc.dictionary(fc.constantFrom('a-0', 'a-1', 'b-0'), fc.integer({ min: 1, max: 512 }), { minKeys: 1 }),
  );
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 20 }), (batches) => {
      const time = new EngineTime();
      for (const [seconds, tokens] of batches) time.add(seconds, new Map(Object.entries(tokens)));
      const all = time.take('a', 0) + time.take('a', 1) + time.take('b', 0);
      const run = batches.reduce((sum, [seconds]) => sum + seconds * 1000, 0);
      expect(Math.abs(all - run)).toBeLessThanOrEqual(1.5 + 1e-6);
    }),
  );
});

test('queries and sequences without a shard take no shard’s time', () => {
  const time = new EngineTime();
  time.add(1, new Map());
  expect(time.take('', 0)).toBe(0);
});
