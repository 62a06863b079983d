import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { QueryResult } from '@embedmill/jobs';
import type { QueueOptions } from './connection.ts';
import { ModelConsumer } from './model-consumer.ts';
import type { QueryOptions } from './model-queries.ts';
import { connectQueue, type Queue } from './queue.ts';
import { BROKERS } from './test-brokers.ts';

const brokers = BROKERS.filter(({ name }) => name === 'Redis' || name === 'PostgreSQL');

describe.each(brokers)('on $name', ({ missing, start }) => {
  let broker: { options: QueueOptions; stop(): Promise<void> };
  let prefix = 0;
  const closers: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    if (missing === undefined) broker = await start();
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  afterAll(async () => {
    if (missing === undefined) await broker.stop();
  });

  /** A separate queue without workers of other tests. */
  async function begin(): Promise<{ queue: Queue; work: (models?: string[]) => Promise<ModelConsumer> }> {
    const options = { ...broker.options, prefix: `{serving${(prefix += 1)}}` };
    const queue = await connectQueue(options);
    closers.push(() => queue.close());
    return {
      queue,
      async work(models) {
        const own = { shardConcurrency: 1, queryConcurrency: 1, lockMs: 1000, onError: () => {} };
        const consumer = await ModelConsumer.open({ ...options, ...own, models });
        closers.push(() => consumer.close());
        return consumer;
      },
    };
  }

  const ask = (queue: Queue, model: string, options: Partial<QueryOptions> = {}) =>
    queue.query({ task: 'embed', model, inputs: ['x'], role: 'query' }, { timeoutMs: 20_000, ...options });
  const answer: QueryResult<'embed'> = {
    dims: 1,
    vectors: Float32Array.of(7),
    tokens: [1],
    truncated: [false],
    unknown: [false],
  };
  const shard = () => Promise.reject(new Error('no shards here'));

  test.skipIf(missing !== undefined)('a model that no worker serves is answered for at once', async () => {
    const { queue, work } = await begin();
    const began = performance.now();
    await expect(ask(queue, 'a')).rejects.toMatchObject({
      code: 'no_worker',
      message: expect.stringContaining('EMBEDMILL_WORKER_MODELS=a') as string,
    });
    await work(['b']);
    await expect(ask(queue, 'a')).rejects.toMatchObject({ code: 'no_worker' });
    // Not the 20 seconds for a query that a worker might answer.
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  test.skipIf(missing !== undefined)(
    'a model that a worker was told and still loads is waited for',
    async () => {
      const { queue, work } = await begin();
      const consumer = await work(['a']);
      const asked = ask(queue, 'a');
      consumer.serve('a', { shard, query: async () => answer });
      expect((await asked).vectors).toEqual(answer.vectors);
    },
  );

  test.skipIf(missing !== undefined)(
    'a worker that takes any model gets one that is in use, or for whom may bring it in',
    async () => {
      const { queue, work } = await begin();
      const consumer = await work();
      await expect(ask(queue, 'a', { mayBringIn: false })).rejects.toMatchObject({ code: 'no_worker' });
      expect(await consumer.modelsInUse()).toEqual([]);
      const asked = ask(queue, 'a');
      await expect.poll(() => consumer.modelsInUse(), { timeout: 60_000 }).toEqual(['a']);
      const another = ask(queue, 'a', { mayBringIn: false });
      consumer.serve('a', { shard, query: async () => answer });
      expect((await asked).vectors).toEqual(answer.vectors);
      expect((await another).vectors).toEqual(answer.vectors);
    },
  );

  test.skipIf(missing !== undefined)(
    'a question is withdrawn when its asker goes, and waited for where a worker has it',
    async () => {
      const { queue, work } = await begin();
      const consumer = await work(['a']);
      const leave = new AbortController();
      const waiting = ask(queue, 'a', { signal: leave.signal });
      waiting.catch(() => undefined);
      await expect.poll(async () => (await queue.backlog()).tokens >= 0, { timeout: 60_000 }).toBe(true);
      leave.abort();
      await expect(waiting).rejects.toMatchObject({ code: 'client_gone' });
      const taken = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      const seen: string[] = [];
      consumer.serve('a', {
        shard,
        query: async (query) => {
          seen.push(query.task);
          taken.resolve();
          await release.promise;
          return answer;
        },
      });
      const late = new AbortController();
      const asked = ask(queue, 'a', { signal: late.signal });
      let isOver = false;
      const over = asked.finally(() => (isOver = true));
      await taken.promise;
      late.abort();
      await queue.ping();
      expect(isOver).toBe(false);
      release.resolve();
      expect((await over).vectors).toEqual(answer.vectors);
      expect(seen).toEqual(['embed']);
    },
  );
});
