import { fork } from 'node:child_process';
import { once } from 'node:events';
import { EmbedmillError, type CollectionName, type ShardResult } from '@embedmill/jobs';
import { newJobId } from '@embedmill/queue';
import { startTestRedis } from '@embedmill/redis-server';
import { openQdrantStore, type VectorStore } from '@embedmill/vector-store';
import { startFakeQdrant, type FakeQdrant } from '@embedmill/vector-store/fake-qdrant';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { sweep } from './retention.ts';
import { collection, stored, testDispatch, type TestDispatch } from './test-dispatch.ts';

/** Jobs of at least 1,000 documents are bulk loads here. */
const MANY = 2000;
const NAME = collection.name as CollectionName;
const DEADLINE = { timeout: 45_000, interval: 20 };

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let fake: FakeQdrant;
let store: VectorStore;
let rig: TestDispatch;
let tests = 0;

beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  fake = await startFakeQdrant();
  store = await openQdrantStore({ url: fake.url, bulkPoints: 1000 });
  await store.createCollection(collection);
  rig = await testDispatch({ redisUrl: redis.url, prefix: `{load${(tests += 1)}}` });
});
afterEach(async () => {
  await rig.close();
  await fake.close();
  expect(fake.violations).toEqual([]);
});

/** The links of a point in the collection's index; 0 while it is deferred. */
async function links(): Promise<number> {
  const answer = await fetch(`${fake.url}/collections/${NAME}`);
  const { result } = (await answer.json()) as { result: { config: { hnsw_config: { m: number } } } };
  return result.config.hnsw_config.m;
}

async function indexIsBack(): Promise<void> {
  await vi.waitFor(async () => expect(await store.loads?.list()).toEqual([]), DEADLINE);
  expect(await links()).toBe(16);
}

/** A worker whose shards are settled once the test allows it. */
async function heldWorker(answer: (shard: Parameters<typeof stored>[0]) => Promise<ShardResult>) {
  const begun = Promise.withResolvers<void>();
  const allowed = Promise.withResolvers<void>();
  await rig.worker(async (shard) => {
    begun.resolve();
    await allowed.promise;
    return answer(shard);
  });
  return { begun: begun.promise, go: () => allowed.resolve() };
}

test('the index is deferred while a large job runs and rebuilt at its end; a small job does not affect it', async () => {
  const worker = await heldWorker(async (shard) => stored(shard));
  await rig.dispatcher({ store });
  const small = await rig.submit(10);
  const big = await rig.submit(MANY);
  await worker.begun;
  await vi.waitFor(async () => expect(await links()).toBe(0), DEADLINE);
  expect(await store.loads?.list()).toEqual([{ collection: NAME, job: big }]);
  worker.go();
  for (const id of [small, big]) expect(await rig.finished(id)).toMatchObject({ state: 'completed' });
  await indexIsBack();
});

test('a few long documents are also a large load', async () => {
  const worker = await heldWorker(async (shard) => stored(shard));
  await rig.dispatcher({ store });
  const id = newJobId();
  async function* body() {
    for (let n = 0; n < 20; n += 1) yield Buffer.from(`{"id":"d${n}","text":"${'word '.repeat(12_000)}"}\n`);
  }
  const { source, sha256 } = await rig.spool.receive(id, body(), { maxBytes: 1e9 });
  await rig.queue.submit({
    id,
    purpose: 'ingest',
    collection,
    source,
    label: 'upload',
    digest: sha256,
    retryOf: null,
  });
  await vi.waitFor(async () => expect(await links()).toBe(0), DEADLINE);
  worker.go();
  expect(await rig.finished(id)).toMatchObject({ state: 'completed' });
  await indexIsBack();
});

test('it comes back where the job is cancelled, and where it fails', async () => {
  await rig.dispatcher({ store });
  const cancelled = await rig.submit(MANY);
  await vi.waitFor(async () => expect(await links()).toBe(0), DEADLINE);
  await rig.queue.cancel(cancelled);
  expect(await rig.finished(cancelled)).toMatchObject({ state: 'cancelled' });
  await indexIsBack();

  const worker = await heldWorker(async (shard) => ({ ...stored(shard), stored: 0, failed: 256, chunks: 0 }));
  const failed = await rig.submit(MANY, { maxFailures: 10 });
  await worker.begun;
  expect(await links()).toBe(0);
  worker.go();
  expect(await rig.finished(failed)).toMatchObject({ state: 'failed', error: { code: 'too_many_failures' } });
  await indexIsBack();
});

test('two jobs at once share it: it comes back with the end of the last', async () => {
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const endOf = (job: string): PromiseWithResolvers<void> => {
    const end = ends.get(job) ?? Promise.withResolvers<void>();
    ends.set(job, end);
    return end;
  };
  await rig.worker(async (shard) => {
    await endOf(shard.job).promise;
    return stored(shard);
  }, 8);
  await rig.dispatcher({ store });
  const [first, second] = await Promise.all([rig.submit(MANY), rig.submit(MANY)]);
  await vi.waitFor(async () => expect((await store.loads?.list())?.length).toBe(2), DEADLINE);
  endOf(first).resolve();
  expect(await rig.finished(first)).toMatchObject({ state: 'completed' });
  expect(await links()).toBe(0);
  endOf(second).resolve();
  expect(await rig.finished(second)).toMatchObject({ state: 'completed' });
  await indexIsBack();
});

test('of a dispatcher that is killed in mid-job, the next one goes on with the load, and ends it', async () => {
  const worker = await heldWorker(async (shard) => stored(shard));
  const entry = new URL('./dying-dispatcher.fixture.ts', import.meta.url);
  const child = fork(entry, [JSON.stringify(rig.address), rig.folder, 'none', fake.url], { execArgv: [] });
  const exit = once(child, 'exit');
  try {
    const id = await rig.submit(MANY);
    await worker.begun;
    expect(await links()).toBe(0);
    child.kill('SIGKILL');
    await exit;
    await rig.dispatcher({ store });
    worker.go();
    expect(await rig.finished(id)).toMatchObject({ state: 'completed', stored: MANY });
    await indexIsBack();
  } finally {
    child.kill('SIGKILL');
    await exit;
  }
});

test('where all die before the load’s end is told, a sweep ends it; it leaves those of unfinished jobs', async () => {
  const sweepNow = () =>
    sweep({
      queue: rig.queue,
      spool: rig.spool,
      store,
      policy: { ageMs: 1e9, failuresAgeMs: 1e9, jobs: 100 },
      log: { info: () => {}, warn: () => {} },
    });
  const job = await rig.submit(10);
  await store.loads?.begin(NAME, job, MANY);
  await sweepNow();
  expect(await links()).toBe(0);
  await rig.worker(async (shard) => stored(shard));
  await rig.dispatcher();
  await rig.finished(job);
  // A job that the queue has lost and that is restored from the spool, and one that no longer exists.
  const [lost, unknown] = [newJobId(), newJobId()];
  await rig.spool.keepRecord(lost, { state: 'queued' }, 'unfinished');
  for (const id of [lost, unknown]) await store.loads?.begin(NAME, id, MANY);
  await sweepNow();
  expect(await links()).toBe(0);
  await rig.spool.forgetRecord(lost);
  await sweepNow();
  expect(await links()).toBe(16);
  expect(await store.loads?.list()).toEqual([]);
});

test('a store that cannot defer the index does not delay the job', async () => {
  const refuse = () => Promise.reject(new EmbedmillError('store_unavailable', 'too busy'));
  const busy: VectorStore = {
    ...({ takeBack: async () => undefined } as unknown as VectorStore),
    loads: { begin: refuse, end: refuse, list: refuse },
  };
  await rig.worker(async (shard) => stored(shard));
  await rig.dispatcher({ store: busy });
  expect(await rig.finished(await rig.submit(MANY))).toMatchObject({ state: 'completed' });
});
