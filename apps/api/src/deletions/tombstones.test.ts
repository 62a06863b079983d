import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { EmbedmillError, type JobId } from '@embedmill/jobs';
import { startTestRedis } from '@embedmill/redis-server';
import { failShard } from '@embedmill/sources';
import type { VectorStore } from '@embedmill/vector-store';
import { sweep, type RetentionParts } from '../dispatch/retention.ts';
import { collection, stored, testDispatch, type TestDispatch } from '../dispatch/test-dispatch.ts';

/** Tombstones and range tombstones are purged once nothing older can be written any more. */
let redis: Awaited<ReturnType<typeof startTestRedis>>;
let rig: TestDispatch;
let tests = 0;
/** The sequences below which a sweep purged them. */
let purged: number[];

beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  tests += 1;
  purged = [];
  rig = await testDispatch({ redisUrl: redis.url, prefix: `{tombstones${tests}}` });
});
afterEach(() => rig.close());

function parts(): RetentionParts {
  const store = {
    listCollections: async () => [collection],
    purgeTombstones: async (_: string, below: number) => {
      purged.push(below);
      return 0;
    },
  } as unknown as VectorStore;
  const policy = { ageMs: 3600_000, failuresAgeMs: 3600_000, jobs: 100 };
  return { queue: rig.queue, spool: rig.spool, store, policy, log: rig.options().log };
}

/** In two hours, when recent acceptance is no longer a reason to keep them. */
const LATER = 2 * 3600_000;

test('a job that has not ended keeps those of later deletions, one that has ended well does not', async () => {
  const id = await rig.submit(3);
  const { sequence } = (await rig.queue.getSubmission(id)) ?? {};
  await sweep(parts(), Date.now() + LATER);
  expect(purged).toEqual([sequence]);
  await rig.worker(async (shard) => stored(shard));
  await rig.dispatcher();
  await rig.finished(id);
  await sweep(parts(), Date.now() + LATER);
  expect(purged[1]).toBeGreaterThan(sequence ?? Infinity);
});

test('range tombstones go by the same rule, those of collections that are gone in any case', async () => {
  const { rangeTombstones: ranges } = rig.spool;
  const id = await rig.submit(3);
  const { sequence = NaN } = (await rig.queue.getSubmission(id)) ?? {};
  const keyOf = (at: number) => ({ sequence: at, job: 'job_deletion' as JobId });
  for (const at of [sequence - 1, sequence + 1]) {
    await ranges.keep(collection.name, keyOf(at), { state: 'closed' });
    await ranges.keep('another', keyOf(at), { state: 'closed' });
  }
  await sweep(parts(), Date.now() + LATER);
  expect(await ranges.list(collection.name)).toEqual([keyOf(sequence + 1)]);
  expect(await ranges.collections()).toEqual([collection.name]);
  await rig.worker(async (shard) => stored(shard));
  await rig.dispatcher();
  await ranges.remove(collection.name, keyOf(sequence + 1));
  await rig.finished(id);
  await ranges.keep(collection.name, keyOf(sequence + 1), { state: 'closed' });
  await sweep(parts(), Date.now() + LATER);
  expect(await ranges.collections()).toEqual([]);
});

test('a job with failures keeps them for as long as they can be tried again', async () => {
  await rig.worker(async (shard) =>
    failShard(rig.spool, shard, new EmbedmillError('engine_crashed', 'it died')),
  );
  await rig.dispatcher();
  const id = await rig.submit(3);
  await rig.finished(id);
  const { sequence } = (await rig.queue.getSubmission(id)) ?? {};
  // Its record still exists then.
  const long = { ...parts().policy, failuresAgeMs: 100 * LATER };
  await sweep({ ...parts(), policy: long }, Date.now() + LATER);
  expect(purged).toEqual([sequence]);
  await expect.poll(() => rig.queue.forget(id).then(() => 'forgotten', String)).toBe('forgotten');
  await sweep(parts(), Date.now() + LATER);
  expect(purged[1]).toBeGreaterThan(sequence ?? Infinity);
});

test('what was accepted within the hour keeps them in any case', async () => {
  const now = Date.now();
  await sweep(parts(), now);
  expect(purged).toEqual([1000 * (now - 3600_000)]);
});
