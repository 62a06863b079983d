import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { JobId, Shard, TenantId } from '@embedmill/jobs';
import { newJobId } from '@embedmill/queue';
import { startTestRedis, type TestRedis } from '@embedmill/redis-server';
import { collection, stored, testDispatch, type TestDispatch } from './test-dispatch.ts';

/**
 * Fair share on the real queue, with fake workers whose time is proportional to a shard's documents. The tests compare
 * the order in which shards are settled, so a busy machine does not matter.
 */
const DOCUMENT_MS = 0.3;

let rig: TestDispatch;
/** Settled documents by tenant, in order. */
let served: Map<string, number>;
let order: Shard[];

async function submit(tenant: string, documents: number): Promise<JobId> {
  const id = newJobId();
  async function* body() {
    for (let n = 0; n < documents; n += 1) yield Buffer.from(`{"id":"d${n}","text":"text ${n}"}\n`);
  }
  const { source, sha256 } = await rig.spool.receive(id, body(), { maxBytes: 1e9 });
  await rig.queue.submit({
    id,
    purpose: 'ingest',
    collection,
    source,
    tenant: tenant as TenantId,
    label: 'upload',
    digest: sha256,
    retryOf: null,
  });
  return id;
}

const startWorkers = (slots: number, onSettled: () => void = () => {}) =>
  rig.worker(async (shard) => {
    await setTimeout(DOCUMENT_MS * shard.range.documents);
    order.push(shard);
    const { tenant = '' } = shard;
    served.set(tenant, (served.get(tenant) ?? 0) + shard.range.documents);
    onSettled();
    return stored(shard);
  }, slots);

/** The fairness index of Jain, Chiu and Hawe, DEC Research Report TR-301 (1984). */
const jain = (values: number[]): number =>
  values.reduce((sum, one) => sum + one, 0) ** 2 /
  (values.length * values.reduce((sum, one) => sum + one * one, 0));

let redis: TestRedis;
let tests = 0;

beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  tests += 1;
  rig = await testDispatch({ redisUrl: redis.url, prefix: `{fair${tests}}` });
  served = new Map();
  order = [];
});
afterEach(() => rig.close());

test.each([1, 2])(
  'tenants with one large job and with many small ones are served alike, by %i dispatchers',
  async (dispatchers) => {
    const each = 12_800;
    const jobs: JobId[] = [];
    for (const documents of [each, 1600, 400, 160])
      for (let n = 0; n < each / documents; n += 1) jobs.push(await submit(`of ${documents}`, documents));
    for (let n = 0; n < dispatchers; n += 1) await rig.dispatcher({ mostShards: 1000, jobs: 1000 });
    // All jobs are scanned before the first shard is claimed, so that only the allocation of room is compared.
    const running = async () =>
      (await rig.queue.listJobs({ limit: 1000 })).jobs.filter(({ state }) => state === 'running').length;
    await expect.poll(running, { timeout: 60_000 }).toBe(jobs.length);
    let firstDone: number[] | undefined;
    await startWorkers(4, () => {
      if ([...served.values()].some((documents) => documents >= each)) firstDone ??= [...served.values()];
    });
    for (const id of jobs) expect(await rig.finished(id)).toMatchObject({ state: 'completed', failed: 0 });
    expect(firstDone).toHaveLength(4);
    expect(jain(firstDone ?? [])).toBeGreaterThan(0.99);
  },
  120_000,
);

test.each([
  ['another tenant', 'small'],
  ['the same tenant', 'large'],
])(
  'a job of one document of %s passes the shards of a large one, also after many small jobs',
  async (_, tenant) => {
    await rig.dispatcher({ mostShards: 1000 });
    await startWorkers(2);
    for (let n = 0; n < 20; n += 1) await rig.finished(await submit('large', 1));
    const large = await submit('large', 100_000);
    for (let deadline = Date.now() + 60_000; order.length < 50;) {
      if (Date.now() > deadline) throw new Error('the large job does not get on');
      await setTimeout(5);
    }
    // From the moment it is running, however long receiving and scanning take here.
    const small = await submit(tenant, 1);
    for (let state = ''; state !== 'running' && state !== 'completed';)
      state = (await rig.queue.getJob(small))?.state ?? '';
    const before = order.length;
    expect(await rig.finished(small)).toMatchObject({ state: 'completed' });
    const place = order.findIndex(({ job }) => job === small);
    // The waiting shards, those in progress, and those added within a check or two.
    expect(place - before).toBeLessThan(25);
    await rig.queue.cancel(large);
    expect(await rig.finished(large)).toMatchObject({ state: 'cancelled' });
  },
  120_000,
);

test('jobs run concurrently without a fixed limit per dispatcher', async () => {
  await rig.dispatcher();
  const jobs = await Promise.all(Array.from({ length: 40 }, (_, n) => submit(`t${n}`, 600)));
  const running = async () =>
    (await rig.queue.listJobs({ limit: 100 })).jobs.filter(({ state }) => state === 'running').length;
  await expect.poll(running, { timeout: 30_000 }).toBe(40);
  expect((await rig.queue.depth()).waiting).toBeLessThanOrEqual(8);
  await startWorkers(4);
  for (const id of jobs) expect(await rig.finished(id)).toMatchObject({ state: 'completed', done: 600 });
}, 120_000);
