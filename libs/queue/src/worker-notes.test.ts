import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { QueueOptions } from './connection.ts';
import { ModelConsumer } from './model-consumer.ts';
import { openBroker } from './open-broker.ts';
import { workerKey, WORKERS } from './names.ts';
import { connectQueue, type Queue } from './queue.ts';
import { BROKERS } from './test-brokers.ts';
import type { WorkerState } from './worker-notes.ts';

const brokers = BROKERS.filter(({ name }) => name === 'Redis' || name === 'PostgreSQL');
const STATE: WorkerState = { models: [], memoryBytes: 1, engineRestarts: 2 };

describe.each(brokers)('on $name', ({ missing, start }) => {
  let broker: { options: QueueOptions; stop(): Promise<void> };
  let options: QueueOptions;
  let queue: Queue;
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
  async function begin(): Promise<void> {
    options = { ...broker.options, prefix: `{notes${(prefix += 1)}}` };
    queue = await connectQueue(options);
    closers.push(() => queue.close());
  }

  test.skipIf(missing !== undefined)('a worker is there from when it says so until it ends', async () => {
    await begin();
    const own = { shardConcurrency: 3, queryConcurrency: 1, lockMs: 5000, onError: () => {} };
    const consumer = await ModelConsumer.open({ ...options, ...own });
    try {
      expect(await queue.workers()).toEqual({ present: [], gone: [] });
      await consumer.announce(() => STATE);
      const { present } = await queue.workers();
      expect(present).toMatchObject([{ pid: process.pid, shards: 0, mostShards: 3, jobs: [], ...STATE }]);
    } finally {
      await consumer.close();
    }
    expect(await queue.workers()).toEqual({ present: [], gone: [] });
  });

  test.skipIf(missing !== undefined)('one that died is missed for an hour, and then forgotten', async () => {
    await begin();
    const raw = await openBroker(options);
    closers.push(() => raw.close());
    const now = Date.now();
    await raw.addRanked(WORKERS, 'died', now - 60_000);
    await raw.addRanked(WORKERS, 'long ago', now - 3_700_000);
    await raw.addRanked(WORKERS, 'of another version', now);
    await raw.set(workerKey('of another version'), '{"speaks":"differently"}', 20);
    const { present, gone } = await queue.workers();
    expect(present).toEqual([]);
    expect(gone).toEqual([{ id: 'died', seenAt: new Date(now - 60_000).toISOString() }]);
    expect((await raw.ranked(WORKERS)).map(({ member }) => member)).toEqual(['died', 'of another version']);
  });
});
