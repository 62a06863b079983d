import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { NO_COUNTS, type JobId, type Shard, type ShardResult } from '@embedmill/jobs';
import { startTestRedis } from '@embedmill/redis-server';
import { QUERY_TOKENS } from './backlog.ts';
import type { QueueOptions } from './connection.ts';
import { consumeIngest } from './ingest-consumer.ts';
import { ModelConsumer } from './model-consumer.ts';
import { newJobId } from './names.ts';
import { connectQueue, type Queue } from './queue.ts';
import { BROKERS, collection, MODEL } from './test-brokers.ts';

let broker: QueueOptions;
let queue: Queue;
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function submit(bytes: number): Promise<JobId> {
  const id = newJobId();
  const source = { kind: 'file', uri: 'file:///x', size: bytes, modified: 0 } as const;
  await queue.submit({
    id,
    purpose: 'ingest',
    collection,
    source,
    label: 'upload',
    digest: id,
    retryOf: null,
  });
  return id;
}

async function until(met: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = Date.now() + 90_000; !(await met()); await setTimeout(10))
    if (Date.now() > deadline) throw new Error('not met within 90 s');
}

/** A worker's answer to a query with one text. */
const answerOne = async () => ({
  dims: 2,
  vectors: new Float32Array(2),
  tokens: [1],
  truncated: [false],
  unknown: [false],
});

const shardOf = (job: string, index: number): Shard => ({
  job,
  index,
  sequence: 1,
  rival: 0,
  purpose: 'ingest',
  collection,
  source: { kind: 'inline', lines: ['{"id":"a","text":"x"}'] },
  range: { offset: 0, length: 1, firstLine: 1, documents: 1, duplicates: [] },
});

const brokers = BROKERS.filter(({ name }) => ['Redis', 'PostgreSQL'].includes(name));

describe.each(brokers)('by $name', ({ missing, start }) => {
  describe.skipIf(missing !== undefined)(missing === undefined ? 'the queue' : `skipped: ${missing}`, () => {
    let started: Awaited<ReturnType<typeof start>>;
    let tests = 0;

    beforeAll(async () => {
      started = await start();
    });
    afterAll(() => started.stop());
    beforeEach(async () => {
      tests += 1;
      broker = { ...started.options, prefix: `{test${tests}}` };
      queue = await connectQueue(broker);
      closers.push(() => queue.close());
    });

    test('a job’s small shard is taken before large ones that were on the queue already', async () => {
      await submit(4000);
      const added = Promise.withResolvers<void>();
      const dispatcher = await consumeIngest(
        { ...broker, concurrency: 1, lockMs: 10_000, onError: () => {} },
        async (handle) => {
          for (const [index, documents] of [
            [1, 400],
            [2, 400],
            [3, 400],
            [0, 1],
          ] as const) {
            const shard = shardOf(handle.id, index);
            await handle.addShard({
              ...shard,
              range: { ...shard.range, documents, length: 300 * documents },
            });
          }
          added.resolve();
          await until(async () => (await handle.outstanding()) === 0);
        },
      );
      closers.push(() => dispatcher.close());
      await added.promise;
      const taken: number[] = [];
      const worker = await ModelConsumer.open({
        ...broker,
        shardConcurrency: 1,
        queryConcurrency: 1,
        lockMs: 10_000,
        onError: () => {},
      });
      closers.push(() => worker.close());
      worker.serve(MODEL, {
        query: () => Promise.reject(new Error('nobody asks')),
        shard: async ({ index, range: { documents } }) => {
          taken.push(index);
          return { ...NO_COUNTS, index, documents, stored: documents };
        },
      });
      await until(() => taken.length === 4);
      expect(taken).toEqual([0, 1, 2, 3]);
    });

    test('a worker that is out of time returns its shards at once, however long its lock', async () => {
      await submit(4000);
      const dispatcher = await consumeIngest(
        { ...broker, concurrency: 1, lockMs: 10_000, onError: () => {} },
        async (handle) => {
          await handle.addShard(shardOf(handle.id, 0));
          await until(async () => (await handle.outstanding()) === 0);
        },
      );
      closers.push(() => dispatcher.close());
      const attempts: boolean[] = [];
      const serve = async (settle: (shard: Shard) => Promise<ShardResult>): Promise<ModelConsumer> => {
        const options = { shardConcurrency: 1, queryConcurrency: 1, lockMs: 600_000, onError: () => {} };
        const worker = await ModelConsumer.open({ ...broker, ...options });
        worker.serve(MODEL, {
          query: () => Promise.reject(new Error('nobody asks')),
          shard: (shard, { lastAttempt }) => {
            attempts.push(lastAttempt);
            return settle(shard);
          },
        });
        return worker;
      };
      const first = await serve(() => new Promise(() => {}));
      await until(() => attempts.length === 1);
      const closed = first.close();
      const settled = Promise.withResolvers<number>();
      const second = await serve(async ({ index }) => {
        settled.resolve(index);
        return { ...NO_COUNTS, index, documents: 1, stored: 1 };
      });
      closers.push(() => second.close());
      first.giveBack();
      await closed;
      expect(await settled.promise).toBe(0);
      expect(attempts).toEqual([false, false]);
    });

    test('a worker that takes no shards answers queries, and leaves the shards to others', async () => {
      await submit(4000);
      const added = Promise.withResolvers<void>();
      const dispatcher = await consumeIngest(
        { ...broker, concurrency: 1, lockMs: 10_000, onError: () => {} },
        async (handle) => {
          await handle.addShard(shardOf(handle.id, 0));
          added.resolve();
          await until(async () => (await handle.outstanding()) === 0);
        },
      );
      closers.push(() => dispatcher.close());
      await added.promise;
      const takers: string[] = [];
      const serve = async (name: string, shardConcurrency: number): Promise<ModelConsumer> => {
        const own = { shardConcurrency, queryConcurrency: 1, lockMs: 10_000, onError: () => {} };
        const worker = await ModelConsumer.open({ ...broker, ...own });
        closers.push(() => worker.close());
        worker.serve(MODEL, {
          query: answerOne,
          shard: async ({ index }) => {
            takers.push(name);
            return { ...NO_COUNTS, index, documents: 1, stored: 1 };
          },
        });
        return worker;
      };
      const warm = await serve('warm', 0);
      const answer = queue.query(
        { task: 'embed', model: MODEL, inputs: ['x'], role: 'query' },
        { timeoutMs: 30_000 },
      );
      expect(await answer).toMatchObject({ dims: 2 });
      // Shards that wait for other workers must not make its watchdog report it as stuck.
      expect(await warm.waiting()).toBe(0);
      const bulk = await serve('bulk', 1);
      await until(() => takers.length === 1);
      expect(takers).toEqual(['bulk']);
      expect(await bulk.waiting()).toBe(0);
    });

    test('jobs that wait count by their size, however many wait, and from every replica the same', async () => {
      for (let n = 0; n < 250; n += 1) await submit(4000);
      const other = await connectQueue(broker);
      closers.push(() => other.close());
      const backlog = await queue.backlog();
      expect(backlog).toEqual({
        tokens: 250_000,
        documents: 0,
        shards: 0,
        paused: false,
        models: [{ model: MODEL, tokens: 250_000, documents: 0, shards: 0 }],
      });
      expect(await other.backlog()).toEqual(backlog);
    });

    // No worker has loaded the model yet; without any worker, the query would be refused.
    test.each([
      ['any model', undefined],
      ['the models that it was told', [MODEL]],
    ])('a query counts until a worker takes it that serves %s', async (_, models) => {
      const consumer = await ModelConsumer.open({
        ...broker,
        models,
        shardConcurrency: 1,
        queryConcurrency: 1,
        lockMs: 1000,
        onError: () => {},
      });
      closers.push(() => consumer.close());
      const asked = queue.query(
        { task: 'embed', model: MODEL, inputs: ['x'], role: 'query' },
        { timeoutMs: 60_000 },
      );
      await until(async () => (await queue.backlog()).tokens === QUERY_TOKENS);
      consumer.serve(MODEL, {
        query: answerOne,
        shard: () => Promise.reject(new Error('no shards here')),
      });
      await asked;
      expect((await queue.backlog()).tokens).toBe(0);
    });

    test('paused, nothing new is taken, by dispatchers or workers, over restarts; queries go on', async () => {
      const first = await submit(4000);
      const taken: string[] = [];
      const settled: string[] = [];
      const hold = Promise.withResolvers<void>();
      const options = { ...broker, lockMs: 2000, onError: () => {} };
      const startWorker = async () => {
        const consumer = await ModelConsumer.open({ ...options, shardConcurrency: 1, queryConcurrency: 1 });
        consumer.serve(MODEL, {
          query: answerOne,
          shard: async ({ index }) => {
            taken.push(`shard ${index}`);
            await hold.promise;
            settled.push(`shard ${index}`);
            return { ...NO_COUNTS, index, documents: 1, stored: 1, chunks: 1, tokens: 1 };
          },
        });
        return consumer;
      };
      const worker = await startWorker();
      const dispatch = () =>
        consumeIngest({ ...options, concurrency: 1 }, async (handle) => {
          taken.push(handle.id);
          await handle.addShard(shardOf(handle.id, 0));
          await handle.addShard(shardOf(handle.id, 1));
        });
      const dispatcher = await dispatch();
      await until(() => taken.includes('shard 0'));

      await queue.pause();
      await queue.pause();
      const second = await submit(4000);
      hold.resolve();
      await until(() => settled.includes('shard 0'));
      await Promise.all([worker.close(), dispatcher.close()]);
      const [restarted, again] = [await startWorker(), await dispatch()];
      closers.push(
        () => restarted.close(),
        () => again.close(),
      );
      await queue.query({ task: 'embed', model: MODEL, inputs: ['x'], role: 'query' }, { timeoutMs: 8000 });
      expect(taken).toEqual([first, 'shard 0']);
      expect(await queue.backlog()).toMatchObject({ tokens: 0, paused: true });
      expect(await queue.getJob(second)).toMatchObject({
        state: 'queued',
        paused: true,
        waitingFor: { code: 'queue_paused' },
      });
      expect(await queue.depth()).toMatchObject({
        waiting: 1,
        models: [{ model: MODEL, waiting: 1, active: 0 }],
      });

      await queue.resume();
      await until(() => settled.includes('shard 1') && taken.includes(second));
      expect(await queue.getJob(second)).toMatchObject({ paused: false, waitingFor: null });
      expect((await queue.backlog()).paused).toBe(false);
    });
  });
});

describe('by Redis alone', () => {
  let redisUrl: string;

  beforeEach(async () => {
    const redis = await startTestRedis();
    closers.push(() => redis.stop());
    redisUrl = redis.url;
    broker = { redisUrl };
    queue = await connectQueue(broker);
    closers.push(() => queue.close());
  });

  test('a worker says how long what it takes has lain on the queue, and which shards were left by others', async () => {
    const waits: string[] = [];
    let stalls = 0;
    const open = () =>
      ModelConsumer.open({
        ...broker,
        shardConcurrency: 1,
        queryConcurrency: 1,
        lockMs: 1000,
        onError: () => {},
        hooks: {
          onTaken: (lane, seconds) => void waits.push(`${lane} ${seconds >= 0 && seconds < 5}`),
          // Either one may find it.
          onStalled: () => (stalls += 1),
        },
      });
    const never = () => Promise.reject(new Error('no queries here'));
    const dead = await open();
    const alive = await open();
    closers.push(() => alive.close());
    // Acts like a dead worker: takes the shard, and never renews its lock.
    dead.serve(MODEL, { query: never, shard: () => new Promise(() => {}) });
    const dispatcher = await consumeIngest(
      { ...broker, lockMs: 2000, onError: () => {}, concurrency: 1 },
      (handle) => handle.addShard(shardOf(handle.id, 0)),
    );
    closers.push(() => dispatcher.close());
    await submit(10);
    await until(() => waits.length === 1);
    const direct = new Redis(redisUrl);
    closers.push(async () => direct.disconnect());
    await direct.del(await direct.keys('*:lock'));
    const none = {
      skipped: 0,
      failed: 0,
      duplicates: 0,
      superseded: 0,
      deleted: 0,
      added: 0,
      reused: 0,
      truncated: 0,
      chunks: 1,
      tokens: 1,
    };
    alive.serve(MODEL, { query: never, shard: async () => ({ index: 0, documents: 1, stored: 1, ...none }) });
    await until(() => stalls === 1);
    expect(waits[0]).toBe('bulk true');
  });

  test('its memory usage can be queried', async () => {
    const memory = await queue.memory();
    expect(memory?.usedBytes).toBeGreaterThan(100_000);
    expect(memory?.limitBytes).toBeGreaterThan(memory?.usedBytes ?? Infinity);
    expect(memory?.evicts).toBe(false);
  });
});
