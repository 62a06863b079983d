import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Queue as BullQueue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { JobId, Shard } from '@embedmill/jobs';
import { consumeIngest, DEFAULT_PREFIX, type IngestHandle } from '@embedmill/queue';
import { startTestRedis, type TestRedis } from '@embedmill/redis-server';
import { collection, stored, testDispatch, type TestDispatch } from './test-dispatch.ts';

/** A Redis that loses data: one that died with a truncated file, or a replica that took over too soon. */
let redis: TestRedis;
let rig: TestDispatch;

beforeEach(async () => {
  redis = await startTestRedis();
  rig = await testDispatch({ redisUrl: redis.url });
});
afterEach(async () => {
  await rig.close();
  await redis.stop();
});

const ALL_KEYS = `
  local all = {}
  for _, key in ipairs(redis.call('KEYS', '*')) do
    table.insert(all, {key, redis.call('DUMP', key), tostring(redis.call('PTTL', key))})
  end
  return all
`;

/** `restore` resets Redis to its current state, like the loss of the end of its file. */
async function copyRedis() {
  const client = new Redis(redis.url);
  const copied = (await client.callBuffer('EVAL', ALL_KEYS, 0)) as [Buffer, Buffer, Buffer][];
  return {
    async restore() {
      const multi = client.multi().flushall();
      for (const [key, bytes, ttl] of copied) multi.restore(key, Math.max(0, Number(ttl.toString())), bytes);
      await multi.exec();
      client.disconnect();
    },
  };
}

async function underWay(id: JobId, shards: number): Promise<void> {
  for (const deadline = Date.now() + 90_000; ; await setTimeout(10)) {
    if (((await rig.queue.getJob(id))?.shardsDone ?? 0) >= shards) return;
    if (Date.now() > deadline) throw new Error('the job does not get on');
  }
}

test.each([
  ['that lives on', 'lives'],
  ['that died', 'died'],
] as const)('what Redis forgot is done again by a dispatcher %s, and counted once', async (_, fate) => {
  const settled = new Set<number>();
  const slow = async (shard: Shard) => {
    await setTimeout(40);
    settled.add(shard.index);
    return stored(shard);
  };
  const firstWorker = await rig.worker(slow);
  const first = await rig.dispatcher();
  const id = await rig.submit(8000);
  await underWay(id, 4);
  const early = await copyRedis();
  await underWay(id, 12);
  if (fate === 'died') await Promise.all([first.close(), firstWorker.close()]);
  await early.restore();
  if (fate === 'died') {
    await rig.dispatcher();
    await rig.worker(slow);
  }
  expect(await rig.finished(id)).toMatchObject({
    state: 'completed',
    documents: 8000,
    done: 8000,
    stored: 8000,
    shards: 32,
    shardsDone: 32,
  });
  expect(settled.size).toBe(32);
});

test('a job whose end Redis forgot stays finished, though its source is gone', async () => {
  await rig.worker(async (shard) => stored(shard));
  const running = await rig.dispatcher();
  const id = await rig.submit(600);
  await running.close();
  const before = await copyRedis();
  await rig.dispatcher();
  const ended = await rig.finished(id);
  expect(ended).toMatchObject({ state: 'completed', stored: 600 });
  const isSource = (name: string) => name.startsWith('source');
  for (const deadline = Date.now() + 90_000; (await readdir(join(rig.folder, id))).some(isSource);) {
    if (Date.now() > deadline) throw new Error('the source is still there');
    await setTimeout(10);
  }
  await before.restore();
  expect(await rig.finished(id)).toMatchObject({ state: 'completed', stored: 600, failed: 0 });
});

test('a dispatcher that was considered dead writes nothing any more', async () => {
  const release = Promise.withResolvers<void>();
  await rig.worker(async (shard) => {
    await release.promise;
    return stored(shard);
  });
  const held: IngestHandle[] = [];
  const consumer = await consumeIngest(
    { ...rig.address, concurrency: 1, lockMs: 1000, onError: () => {} },
    async (handle, signal) => {
      held.push(handle);
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))));
    },
  );
  rig.onClose(() => consumer.close());
  const id = await rig.submit(300);
  while (held.length === 0) await setTimeout(10);
  const stale = held[0]!;
  const client = new Redis(redis.url);
  await client.del(`{embedmill}:ingest:${id}:lock`);
  client.disconnect();
  await expect(stale.assertHeld()).rejects.toMatchObject({ code: 'queue_unavailable' });
  stale.record = { ...stale.record, state: 'failed' };
  await expect(stale.save()).rejects.toMatchObject({ code: 'queue_unavailable' });
  expect((await rig.queue.getJob(id))?.state).toBe('queued');
  release.resolve();
});

test('shards that Redis lost are added again, and counted once', async () => {
  const seen: number[] = [];
  const release = Promise.withResolvers<void>();
  await rig.worker(async (shard) => {
    seen.push(shard.index);
    await release.promise;
    return stored(shard);
  }, 1);
  await rig.dispatcher();
  const id = await rig.submit(1000);
  while ((await rig.queue.depth()).waiting < 2) await setTimeout(5);
  const shards = new BullQueue(`shards-${collection.profile.model}`, {
    connection: { path: redis.url },
    prefix: DEFAULT_PREFIX,
  });
  rig.onClose(() => shards.close());
  // Like a master that dies before its replica has received the shard.
  expect(await shards.remove(`${id}-2`)).toBe(1);
  release.resolve();
  expect(await rig.finished(id)).toMatchObject({
    state: 'completed',
    stored: 1000,
    done: 1000,
    shardsDone: 4,
  });
  expect(seen.slice(0, 3)).toEqual([0, 1, 3]);
  expect([...new Set(seen)].sort()).toEqual([0, 1, 2, 3]);
});
