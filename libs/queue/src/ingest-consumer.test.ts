import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NO_COUNTS, type ShardResult } from '@embedmill/jobs';
import { startTestRedis, type TestRedis } from '@embedmill/redis-server';
import { consumeIngest, type IngestHandle } from './ingest-consumer.ts';
import { ModelConsumer } from './model-consumer.ts';
import { newJobId } from './names.ts';
import { connectQueue, type Queue } from './queue.ts';
import { isSettled } from './settled-shards.ts';
import { collection } from './test-brokers.ts';

/** More than one fold handles, and more than Redis returns of a set at once. */
const SHARDS = 1500;

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

const result = (index: number): ShardResult => ({
  ...NO_COUNTS,
  index,
  documents: 1,
  stored: 1,
  chunks: 1,
  tokens: 1,
});

/** Settles this many shards, then takes no more. */
async function settle(shards: number): Promise<void> {
  let settled = 0;
  const enough = Promise.withResolvers<void>();
  const consumer = await ModelConsumer.open({
    redisUrl: redis.url,
    shardConcurrency: 1,
    queryConcurrency: 1,
    lockMs: 5000,
    onError: () => {},
  });
  consumer.serve(collection.profile.model, {
    shard: async ({ index }) => {
      settled += 1;
      if (settled === shards) enough.resolve();
      return result(index);
    },
    query: () => Promise.reject(new Error('no queries here')),
  });
  await enough.promise;
  await consumer.close();
}

/** Runs a dispatcher's attempts at one job; each except the last throws, like one that was killed. */
async function attempts(...each: ((handle: IngestHandle) => Promise<void>)[]): Promise<void> {
  const done = Promise.withResolvers<void>();
  const left = [...each];
  const consumer = await consumeIngest(
    { redisUrl: redis.url, concurrency: 1, lockMs: 5000, onError: () => {} },
    async (handle) => {
      const attempt = left.shift();
      await attempt?.(handle).catch(done.reject);
      if (left.length > 0) throw new Error('the dispatcher was killed');
      done.resolve();
    },
  );
  closers.push(() => consumer.close());
  await queue.submit({
    id: newJobId(),
    purpose: 'ingest',
    collection,
    label: 'upload',
    digest: 'x',
    retryOf: null,
    source: { kind: 'file', uri: 'file:///documents.ndjson', size: 1, modified: 0 },
  });
  await done.promise;
}

const lost = (): Promise<ShardResult> => Promise.reject(new Error('no shard was lost'));

async function addShards(handle: IngestHandle): Promise<void> {
  const range = { offset: 0, length: 1, firstLine: 1, documents: 1, duplicates: [] };
  const source = { kind: 'file' as const, uri: 'file:///documents.ndjson', size: 1, modified: 0 };
  const add = (index: number) =>
    handle.addShard({
      job: handle.id,
      index,
      sequence: 1,
      rival: 0,
      purpose: 'ingest',
      collection,
      source,
      range,
    });
  const missing = Array.from({ length: SHARDS }, (_, index) => index).filter(
    (index) => !isSettled(handle.record.settled, index),
  );
  await Promise.all(missing.map(add));
}

test.each([0, 700, SHARDS])(
  'what a killed dispatcher had added without saving is counted once by the next one, %i of it settled',
  async (settled) => {
    await attempts(
      async (handle) => {
        await addShards(handle);
        if (settled > 0) await settle(settled);
      },
      async (handle) => {
        expect(handle.record).toMatchObject({ settled: [], cursor: { index: 0 } });
        while ((await handle.fold(lost)) > 0);
        expect(handle.record.progress).toMatchObject({ done: settled, shardsDone: settled });
        // It starts where the record ends, and the shards on the queue stay unchanged.
        await addShards(handle);
        expect(await handle.outstanding()).toBe(SHARDS - settled);
        await handle.withdrawShards();
        while ((await handle.outstanding()) > 0) await setTimeout(10);
      },
    );
  },
);
