import { expect, test } from 'vitest';
import { manyJobs } from './many-jobs.ts';

test('Redis and the spool hold no more after many jobs than after few', async () => {
  const KEPT = 20;
  const rounds = await Array.fromAsync(manyJobs(4, 60, KEPT));
  expect(rounds.at(-1)?.jobs).toBe(240);
  for (const { folders } of rounds) expect(folders).toBe(KEPT);
  const [first, ...others] = rounds.map(({ keys }) => keys);
  // A marker comes and goes; a job would add at least one key.
  for (const keys of others) expect(keys).toBeLessThanOrEqual(first! + 5);
  // For each retained job, the job and its log.
  expect(first).toBeLessThan(2 * KEPT + 30);
});
