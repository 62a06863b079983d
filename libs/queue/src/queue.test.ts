import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EmbedmillError, type JobId, type QueryResult, type TenantId } from '@embedmill/jobs';
import type { QueueOptions } from './connection.ts';
import { ModelConsumer, type ModelHandlers } from './model-consumer.ts';
import type { JobSelection } from './job-list.ts';
import { jobIdOfKey, newJobId } from './names.ts';
import { connectQueue, type Queue } from './queue.ts';
import { BROKERS, collection, MODEL, type TestBroker } from './test-brokers.ts';

let options: QueueOptions;
let queue: Queue;
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function consumer(query: ModelHandlers['query']) {
  const running = await ModelConsumer.open({
    ...options,
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

describe.each(BROKERS)('by $name', ({ missing, start }) => {
  describe.skipIf(missing !== undefined)(missing === undefined ? 'the queue' : `skipped: ${missing}`, () => {
    let broker: Awaited<ReturnType<TestBroker['start']>>;
    let tests = 0;

    beforeAll(async () => {
      broker = await start();
    });
    afterAll(() => broker.stop());
    beforeEach(async () => {
      tests += 1;
      options = { ...broker.options, prefix: `{test${tests}}` };
      queue = await connectQueue(options);
      closers.push(() => queue.close());
    });

    test('the same key and body give the same job; another body is refused', async () => {
      const id = jobIdOfKey(collection, 'key-1', undefined);
      const [first, second] = await Promise.all([queue.submit(job({ id })), queue.submit(job({ id }))]);
      expect([first.created, second.created].sort()).toEqual([false, true]);
      expect(first.job.id).toBe(second.job.id);
      await expect(queue.submit(job({ id, digest: 'd2' }))).rejects.toMatchObject({
        code: 'idempotency_conflict',
      });
      expect(jobIdOfKey({ ...collection, name: 'other' }, 'key-1', undefined)).not.toBe(id);
      expect(jobIdOfKey(collection, 'key-1', 'acme' as TenantId)).not.toBe(id);
      const madeAnew = { ...collection, createdAt: new Date(1).toISOString() };
      expect(jobIdOfKey(madeAnew, 'key-1', undefined)).not.toBe(id);
    });

    test('jobs are listed newest first, by collection and page', async () => {
      const ids = [];
      for (let n = 0; n < 5; n += 1) {
        const other =
          n === 2 ? { collection: { ...collection, name: 'other' }, tenant: 'acme' as TenantId } : {};
        ids.push((await queue.submit(job(other))).job.id);
        await setTimeout(2);
      }
      const idsOf = async (selection: Omit<JobSelection, 'limit'>, limit = 10) =>
        (await queue.listJobs({ ...selection, limit })).jobs.map(({ id }) => id);
      expect(await idsOf({})).toEqual(ids.toReversed());
      expect(await idsOf({ collection: 'other' })).toEqual([ids[2]]);
      const { next } = await queue.listJobs({ limit: 2 });
      expect(await idsOf({ after: next! }, 2)).toEqual([ids[2], ids[1]]);
      const ofAcme = await queue.listJobs({ limit: 1, tenant: 'acme' });
      expect(ofAcme).toMatchObject({ jobs: [{ id: ids[2], tenant: 'acme' }], next: null });
      expect(await idsOf({ state: 'completed' })).toEqual([]);
    });

    test('a query comes back with its own vectors, many at a time', async () => {
      await consumer(async (query) => {
        const input = Number(query.inputs[0]);
        await setTimeout(input % 5);
        return {
          dims: 2,
          vectors: Float32Array.of(input, -input),
          tokens: [3],
          truncated: [false],
          unknown: [false],
        };
      });
      const ask = (n: number): Promise<QueryResult<'embed'>> =>
        queue.query({ task: 'embed', model: MODEL, inputs: [String(n)], role: 'query' }, { timeoutMs: 5000 });
      const results = await Promise.all(Array.from({ length: 50 }, (_, n) => ask(n)));
      for (const [n, { vectors }] of results.entries()) expect([...vectors]).toEqual([n, -n]);
    });

    test('an error of the worker comes back with its code', async () => {
      await consumer(() => Promise.reject(new EmbedmillError('model_unavailable', 'not there')));
      const asking = queue.query(
        { task: 'embed', model: MODEL, inputs: ['x'], role: 'query' },
        { timeoutMs: 5000 },
      );
      await expect(asking).rejects.toMatchObject({ code: 'model_unavailable', message: 'not there' });
    });

    test('a query with what this release does not know is refused, and answered by nobody as something else', async () => {
      let asked = 0;
      await consumer(async () => {
        asked += 1;
        return { dims: 1, vectors: Float32Array.of(1), tokens: [1], truncated: [false], unknown: [false] };
      });
      const later = { task: 'embed', model: MODEL, inputs: ['x'], role: 'query', scaling: 2 } as const;
      const asking = queue.query({ ...later, inputs: [...later.inputs] }, { timeoutMs: 5000 });
      await expect(asking).rejects.toMatchObject({
        code: 'no_worker',
        message: expect.stringMatching(/scaling.*earlier release/) as string,
      });
      expect(asked).toBe(0);
    });

    test('an unanswered query ends with no_worker, and is not processed afterwards', async () => {
      // It would serve the model, but has not started to.
      const idle = await ModelConsumer.open({
        ...options,
        shardConcurrency: 1,
        queryConcurrency: 1,
        lockMs: 1000,
        onError: () => {},
      });
      closers.push(() => idle.close());
      const asking = queue.query(
        { task: 'embed', model: MODEL, inputs: ['late'], role: 'query' },
        { timeoutMs: 200 },
      );
      await expect(asking).rejects.toMatchObject({ code: 'no_worker' });
      const seen: unknown[] = [];
      await consumer(async (query) => {
        seen.push(query.inputs[0]);
        return { dims: 2, vectors: new Float32Array(2), tokens: [1], truncated: [false], unknown: [false] };
      });
      await queue.query({ task: 'embed', model: MODEL, inputs: ['now'], role: 'query' }, { timeoutMs: 5000 });
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

    test('a turn is one process’s until it ends', async () => {
      const other = await connectQueue(options);
      closers.push(() => other.close());
      const both = await Promise.all([queue.takeTurn('sweep', 60), other.takeTurn('sweep', 60)]);
      expect(both.filter(Boolean)).toHaveLength(1);
      expect(await other.takeTurn('another', 60)).toBe(true);
      await other.endTurn('another');
      expect(await queue.takeTurn('another', 60)).toBe(true);
    });

    test('a query that waits for a model says why it cannot be loaded, long before its time is up', async () => {
      const idle = await ModelConsumer.open({
        ...options,
        shardConcurrency: 1,
        queryConcurrency: 1,
        lockMs: 1000,
        onError: () => {},
      });
      closers.push(() => idle.close());
      const asking = queue.query(
        { task: 'embed', model: MODEL, inputs: ['x'], role: 'query' },
        { timeoutMs: 600_000 },
      );
      const refused = expect(asking).rejects.toMatchObject({
        code: 'model_unavailable',
        message: 'it is not on the hub',
      });
      await idle.reportTrouble(MODEL, new EmbedmillError('model_unavailable', 'it is not on the hub'));
      await refused;
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
        { task: 'embed', model: MODEL, inputs: ['x'], role: 'query' },
        { timeoutMs: 200 },
      );
      await expect(asking).rejects.toMatchObject({
        code: 'model_unavailable',
        message: 'cannot download it',
      });
      await running.reportTrouble(MODEL, null);
      expect((await queue.getJob(waiting.id as JobId))?.waitingFor).toBeNull();
      release.resolve({
        dims: 2,
        vectors: new Float32Array(2),
        tokens: [1],
        truncated: [false],
        unknown: [false],
      });
    });
  });
});
