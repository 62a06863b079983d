import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  EmbedmillError,
  profileSchema,
  type Collection,
  type CollectionName,
  type TenantId,
  type JobId,
  type QueryResult,
} from '@embedmill/jobs';
import { startTestRedis, type TestRedis } from '@embedmill/redis-server';
import { ModelConsumer, type ModelHandlers } from './model-consumer.ts';
import { jobIdOfKey, newJobId } from './names.ts';
import { connectQueue, type Queue } from './queue.ts';

const collection: Collection = {
  name: 'test',
  profile: profileSchema.parse({}),
  dims: 2,
  vector: 'dense',
  createdAt: new Date(0).toISOString(),
};
const MODEL = collection.profile.model;

let redis: TestRedis;
let queue: Queue;
const closers: (() => Promise<void>)[] = [];

beforeEach(async () => {
  redis = await startTestRedis();
  closers.push(() => redis.stop());
  queue = await connectQueue({ redisUrl: redis.url });
  closers.push(() => queue.close());
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function consumer(query: ModelHandlers['query']) {
  const running = await ModelConsumer.open({
    redisUrl: redis.url,
    shardConcurrency: 1,
    queryConcurrency: 4,
    lockMs: 1000,
    onError: () => {},
  });
  closers.push(() => running.close());
  running.serve(MODEL, { query, shard: () => Promise.reject(new Error('no shards here')) });
  return running;
}

const job = (changes: object = {}) => ({
  id: newJobId(),
  collection,
  source: { kind: 'inline' as const, lines: ['{"id":"a","text":"x"}'] },
  label: 'inline',
  digest: 'd1',
  retryOf: null,
  purpose: 'ingest' as const,
  ...changes,
});

test('a Redis that may evict is refused, with what to do about it', async () => {
  const evicting = await startTestRedis(['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru']);
  closers.push(() => evicting.stop());
  const connecting = connectQueue({ redisUrl: evicting.url });
  await expect(connecting).rejects.toMatchObject({ code: 'queue_may_evict' });
  await expect(connecting).rejects.toThrow(/allkeys-lru.*noeviction/);
  const consuming = ModelConsumer.open({
    redisUrl: evicting.url,
    shardConcurrency: 1,
    queryConcurrency: 1,
    lockMs: 1000,
    onError: () => {},
  });
  await expect(consuming).rejects.toMatchObject({ code: 'queue_may_evict' });
});

test('calls fail within seconds while Redis is away', async () => {
  await redis.stop();
  await expect(queue.getJob(newJobId())).rejects.toMatchObject({ code: 'queue_unavailable' });
}, 15_000);

test('the same key and body give the same job; another body is refused', async () => {
  const id = jobIdOfKey('test' as CollectionName, 'key-1', undefined);
  const [first, second] = await Promise.all([queue.submit(job({ id })), queue.submit(job({ id }))]);
  expect([first.created, second.created].sort()).toEqual([false, true]);
  expect(first.job.id).toBe(second.job.id);
  await expect(queue.submit(job({ id, digest: 'd2' }))).rejects.toMatchObject({
    code: 'idempotency_conflict',
  });
  expect(jobIdOfKey('other' as CollectionName, 'key-1', undefined)).not.toBe(id);
  expect(jobIdOfKey('test' as CollectionName, 'key-1', 'acme' as TenantId)).not.toBe(id);
});

test('jobs are listed newest first, by collection and page', async () => {
  const ids = [];
  for (let n = 0; n < 5; n += 1) {
    const other = n === 2 ? { collection: { ...collection, name: 'other' }, tenant: 'acme' as TenantId } : {};
    ids.push((await queue.submit(job(other))).job.id);
    await setTimeout(2);
  }
  const listed = await queue.listJobs({ limit: 10, offset: 0 });
  expect(listed.map(({ id }) => id)).toEqual(ids.toReversed());
  expect((await queue.listJobs({ collection: 'other', limit: 10, offset: 0 })).map(({ id }) => id)).toEqual([
    ids[2],
  ]);
  expect((await queue.listJobs({ limit: 2, offset: 1 })).map(({ id }) => id)).toEqual([ids[3], ids[2]]);
  const ofAcme = await queue.listJobs({ limit: 1, offset: 0, where: ({ tenant }) => tenant === 'acme' });
  expect(ofAcme).toMatchObject([{ id: ids[2], tenant: 'acme' }]);
  expect(await queue.listJobs({ state: 'completed', limit: 10, offset: 0 })).toEqual([]);
});

test('a query comes back with its own vectors, many at a time', async () => {
  await consumer(async (query) => {
    const input = Number(query.inputs[0]);
    await setTimeout(input % 5);
    return { dims: 2, vectors: Float32Array.of(input, -input), tokens: [3], truncated: [false] };
  });
  const ask = (n: number): Promise<QueryResult<'embed'>> =>
    queue.query({ task: 'embed', model: MODEL, inputs: [String(n)], kind: 'query' }, { timeoutMs: 5000 });
  const results = await Promise.all(Array.from({ length: 50 }, (_, n) => ask(n)));
  for (const [n, { vectors }] of results.entries()) expect([...vectors]).toEqual([n, -n]);
});

test('an error of the worker comes back with its code', async () => {
  await consumer(() => Promise.reject(new EmbedmillError('model_unavailable', 'not there')));
  const asking = queue.query(
    { task: 'embed', model: MODEL, inputs: ['x'], kind: 'query' },
    { timeoutMs: 5000 },
  );
  await expect(asking).rejects.toMatchObject({ code: 'model_unavailable', message: 'not there' });
});

test('a query that nobody answers ends with no_worker, and is not worked on afterwards', async () => {
  const asking = queue.query(
    { task: 'embed', model: MODEL, inputs: ['late'], kind: 'query' },
    { timeoutMs: 200 },
  );
  await expect(asking).rejects.toMatchObject({ code: 'no_worker' });
  const seen: unknown[] = [];
  await consumer(async (query) => {
    seen.push(query.inputs[0]);
    return { dims: 2, vectors: new Float32Array(2), tokens: [1], truncated: [false] };
  });
  await queue.query({ task: 'embed', model: MODEL, inputs: ['now'], kind: 'query' }, { timeoutMs: 5000 });
  expect(seen).toEqual(['now']);
});

test('models in use are known to consumers', async () => {
  const running = await consumer(() => Promise.reject(new Error('unused')));
  expect(await running.modelsInUse()).toEqual([]);
  await queue.announceModel('a');
  await queue.announceModel('a');
  await queue.announceModel('b');
  expect((await running.modelsInUse()).sort()).toEqual(['a', 'b']);
});

test('while workers cannot load a model, its jobs and queries say why', async () => {
  const release = Promise.withResolvers<QueryResult>();
  const running = await consumer(() => release.promise);
  const { job: waiting } = await queue.submit(job());
  await running.reportTrouble(MODEL, new EmbedmillError('model_unavailable', 'cannot download it'));
  expect((await queue.getJob(waiting.id as JobId))?.waitingFor).toEqual({
    code: 'model_unavailable',
    message: 'cannot download it',
  });
  const asking = queue.query(
    { task: 'embed', model: MODEL, inputs: ['x'], kind: 'query' },
    { timeoutMs: 200 },
  );
  await expect(asking).rejects.toMatchObject({ code: 'model_unavailable', message: 'cannot download it' });
  await running.reportTrouble(MODEL, null);
  expect((await queue.getJob(waiting.id as JobId))?.waitingFor).toBeNull();
  release.resolve({ dims: 2, vectors: new Float32Array(2), tokens: [1], truncated: [false] });
});
