import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deviceSeconds, NO_FAULTS, type Cluster, type Faults, type Load } from './cluster.ts';
import { simulate } from './simulation.ts';

const cluster = (changes: Partial<Cluster> = {}): Cluster => ({
  workers: 300,
  shardsInHand: 4,
  lockSeconds: 15,
  dispatchers: 2,
  mostShards: 10_000,
  pollSeconds: 0.1,
  addSeconds: 0.0002,
  ...changes,
});
const load = (jobs: number[], changes: Partial<Load> = {}): Load => ({
  jobs: jobs.map((shards) => ({ shards, submittedAt: 0 })),
  shardSeconds: 0.7,
  sigma: 0.8,
  besideSeconds: 0.05,
  ...changes,
});
const FAILING: Faults = {
  workerMtbf: 4 * 3600,
  workerRestart: 60,
  freezeMtbf: 3600,
  freezeSeconds: 20,
  dispatcherMtbf: 3600,
  returned: 0.001,
};

const clusters = fc.record({
  workers: fc.integer({ min: 1, max: 8 }),
  shardsInHand: fc.integer({ min: 1, max: 4 }),
  lockSeconds: fc.integer({ min: 1, max: 20 }),
  dispatchers: fc.integer({ min: 1, max: 3 }),
  mostShards: fc.integer({ min: 1, max: 50 }),
  pollSeconds: fc.constantFrom(0.01, 0.1, 1),
  addSeconds: fc.constantFrom(0, 0.001),
});
const loads = fc.record({
  jobs: fc.array(fc.record({ shards: fc.integer({ min: 1, max: 60 }), submittedAt: fc.nat(20) }), {
    minLength: 1,
    maxLength: 6,
  }),
  shardSeconds: fc.constantFrom(0.05, 1, 5),
  sigma: fc.constantFrom(0, 0.5, 1.5),
  besideSeconds: fc.constantFrom(0, 0.1),
});
const failures = fc.record({
  workerMtbf: fc.constantFrom(Infinity, 20, 200),
  workerRestart: fc.constantFrom(1, 30),
  freezeMtbf: fc.constantFrom(Infinity, 30),
  freezeSeconds: fc.constantFrom(1, 25),
  dispatcherMtbf: fc.constantFrom(Infinity, 30),
  returned: fc.constantFrom(0, 0.2),
});

test('whatever dies, every shard is settled or lost exactly once, and no bound is broken', () => {
  fc.assert(
    fc.property(clusters, loads, failures, fc.nat(), (set, work, faults, seed) => {
      const outcome = simulate(set, work, faults, seed);
      const shards = work.jobs.reduce((sum, job) => sum + job.shards, 0);
      expect(outcome.settled + outcome.lost).toBe(shards);
      expect(outcome.mostOfOneJob).toBeLessThanOrEqual(set.mostShards);
      const highest = work.jobs.length * set.mostShards;
      expect(outcome.mostOutstanding).toBeLessThanOrEqual(Math.min(shards, highest));
      for (const { seconds } of outcome.jobs) expect(seconds).toBeGreaterThan(0);
      expect(outcome.seconds).toBeLessThan(Infinity);
      // A quotient of sums of seconds, which may be rounded up.
      expect(outcome.utilisation).toBeLessThanOrEqual(1 + 1e-9);
      expect(outcome.fairness).toBeLessThanOrEqual(1 + 1e-9);
    }),
    { numRuns: 300 },
  );
});

test('without failures, nothing is lost or run twice, and the time is at least what the devices need', () => {
  fc.assert(
    fc.property(clusters, loads, fc.nat(), (set, work, seed) => {
      const outcome = simulate(set, work, NO_FAULTS, seed);
      const shards = work.jobs.reduce((sum, job) => sum + job.shards, 0);
      let device = 0;
      for (let shard = 0; shard < shards; shard += 1) device += deviceSeconds(work, shard, seed);
      expect(outcome).toMatchObject({ settled: shards, lost: 0, repeated: 0 });
      expect(outcome.seconds).toBeGreaterThanOrEqual(device / set.workers - 1e-6);
    }),
    { numRuns: 200 },
  );
});

test('the same seed gives the same run, another seed another run', () => {
  const run = (seed: number) => simulate(cluster({ workers: 20 }), load([3000]), FAILING, seed);
  expect(run(7)).toEqual(run(7));
  expect(run(8).seconds).not.toBe(run(7).seconds);
});

test('a fixed bound of 32 starves 300 workers; a bound that follows them does not, within 4 MB of Redis', () => {
  const fixed = simulate(cluster({ mostShards: 32 }), load([30_000]));
  expect(fixed.utilisation).toBeLessThan(0.12);
  const following = simulate(cluster(), load([100_000]));
  expect(following.utilisation).toBeGreaterThan(0.99);
  expect(following.mostOutstanding * 2000).toBeLessThan(4e6);
});

test('jobs of the same size go on at the same rate, and a small one between them hardly waits', () => {
  const jobs = [
    ...Array.from({ length: 8 }, () => ({ shards: 20_000, submittedAt: 0 })),
    { shards: 4, submittedAt: 60 },
  ];
  const { fairness, jobs: outcomes } = simulate(cluster(), load([], { jobs }));
  expect(fairness).toBeGreaterThan(0.98);
  expect(outcomes.at(-1)?.seconds).toBeLessThan(10);
});

test('if workers die, a job continues within a lock’s time and ends soon after its last shard is claimed', () => {
  const calm = simulate(cluster(), load([100_000]));
  const failing = simulate(cluster(), load([100_000]), FAILING);
  expect(failing).toMatchObject({ settled: 100_000, lost: 0 });
  expect(failing.repeated).toBeGreaterThan(0);
  expect(failing.repeated).toBeLessThan(100_000 * 0.005);
  expect(failing.seconds).toBeLessThan(calm.seconds * 1.2);
  expect(failing.tailSeconds).toBeLessThan(90);
});

test('a shard whose workers die four times is lost, as in the queue', () => {
  const deadly = { ...NO_FAULTS, workerMtbf: 0.01, workerRestart: 1 };
  const set = cluster({ workers: 1, shardsInHand: 1, lockSeconds: 1 });
  expect(simulate(set, load([3], { shardSeconds: 5, sigma: 0 }), deadly)).toMatchObject({
    settled: 0,
    lost: 3,
    repeated: 12,
  });
});

test('a simulation without shards or without workers is refused', () => {
  expect(() => simulate(cluster({ workers: 0 }), load([1]))).toThrow(RangeError);
  expect(() => simulate(cluster(), load([]))).toThrow(RangeError);
});

test('a thousand million documents can be simulated', { timeout: 600_000 }, () => {
  const shards = Math.ceil(1e9 / 256);
  const outcome = simulate(cluster(), load([shards]), FAILING);
  expect(outcome.settled + outcome.lost).toBe(shards);
  expect(outcome.utilisation).toBeGreaterThan(0.95);
});

/** Makes `count` jobs of `documents` documents each, all of one share. */
const jobsOf = (share: string, count: number, documents: number, submittedAt = 0) =>
  Array.from({ length: count }, () => ({
    share,
    submittedAt,
    shards: Math.max(1, Math.round(documents / 256)),
    size: Math.min(1, documents / 256),
  }));

test.each([
  { workers: 4, dispatchers: 1, documents: 1 },
  { workers: 4, dispatchers: 3, documents: 1 },
  // The 160 shards that 40 workers have in hand are negligible only against larger jobs.
  { workers: 40, dispatchers: 1, documents: 10 },
  { workers: 40, dispatchers: 3, documents: 10 },
])(
  'tenants whose jobs have $documents documents to 100,000 times as many are served the same tokens by $workers workers and $dispatchers dispatchers: Jain’s index 0.99',
  ({ workers, dispatchers, documents }) => {
    const jobs = [
      ...jobsOf('a', 1, 100_000 * documents),
      ...jobsOf('b', 10, 10_000 * documents),
      ...jobsOf('c', 100, 1000 * documents),
      ...jobsOf('d', 300, 100 * documents),
      ...jobsOf('e', 2000, 10 * documents),
      ...jobsOf('f', 8000, documents),
    ];
    const { shareFairness } = simulate(cluster({ workers, dispatchers }), load([], { jobs }));
    expect(shareFairness).toBeGreaterThan(0.99);
  },
);

test('after many small jobs a large one does not fill the queue, and a small one behind it hardly waits', () => {
  const jobs = [...jobsOf('a', 10, 1), ...jobsOf('a', 1, 60_000, 5), ...jobsOf('a', 1, 1, 20)];
  const set = cluster({ workers: 1, shardsInHand: 1 });
  const outcome = simulate(set, load([], { jobs, sigma: 0 }));
  // One in hand, and two that wait.
  expect(outcome.mostOfOneJob).toBeLessThanOrEqual(4);
  expect(outcome.jobs.at(-1)?.seconds).toBeLessThan(4 * 0.75 + 0.2);
});
