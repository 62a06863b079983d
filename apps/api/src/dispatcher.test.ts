import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Queue as BullQueue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  EmbedmillError,
  isFinished,
  profileSchema,
  type Collection,
  type Job,
  type JobId,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import { missingPostgres, startTestPostgres } from '@embedmill/postgres-server';
import {
  connectQueue,
  DEFAULT_PREFIX,
  ModelConsumer,
  newJobId,
  type Queue,
  type QueueOptions,
} from '@embedmill/queue';
import { startTestCluster, startTestRedis } from '@embedmill/redis-server';
import { failShard, Spool } from '@embedmill/sources';
import type { VectorStore } from '@embedmill/vector-store';
import { startDispatcher, type DispatcherOptions } from './dispatcher.ts';
import { sweep } from './retention.ts';

const collection: Collection = {
  name: 'test',
  profile: profileSchema.parse({}),
  dims: 384,
  vector: 'dense',
  createdAt: new Date(0).toISOString(),
};

let address: QueueOptions;
let folder: string;
let spool: Spool;
let queue: Queue;
const closers: (() => Promise<void>)[] = [];

async function prepare(): Promise<void> {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-dispatcher-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  spool = await Spool.open(folder);
  queue = await connectQueue(address);
  closers.push(() => queue.close());
}

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Nothing is measured for a collection without BM25, and no job is over stored documents. */
const store = {} as VectorStore;

const options = (): DispatcherOptions => ({
  ...address,
  jobs: 4,
  ...{ outstandingShards: 3, mostShards: 3 },
  pollMs: 20,
  lockMs: 1000,
  maxSourceBytes: 1e9,
  openUrl: () => Promise.reject(new Error('no URLs here')),
  ...{ spool, store, models: () => Promise.resolve([]) },
  log: { info: () => {}, warn: () => {} },
});

async function dispatcher(changes: Partial<DispatcherOptions> = {}) {
  const running = await startDispatcher({ ...options(), ...changes });
  closers.push(() => running.close());
  return running;
}

async function worker(
  shard: (shard: Shard, attempt: { lastAttempt: boolean }) => Promise<ShardResult>,
  concurrency = 2,
) {
  const consumer = await ModelConsumer.open({
    ...address,
    shardConcurrency: concurrency,
    queryConcurrency: 1,
    lockMs: 1000,
    onError: () => {},
  });
  closers.push(() => consumer.close());
  consumer.serve(collection.profile.model, {
    shard,
    query: () => Promise.reject(new Error('no queries here')),
  });
  return consumer;
}

async function submit(documents: number): Promise<JobId> {
  const id = newJobId();
  async function* body() {
    for (let n = 0; n < documents; n += 1) yield Buffer.from(`{"id":"d${n}","text":"text ${n}"}\n`);
  }
  const { source, sha256 } = await spool.receive(id, body(), { maxBytes: 1e9 });
  await queue.submit({
    id,
    purpose: 'ingest',
    collection,
    source,
    label: 'upload',
    digest: sha256,
    retryOf: null,
  });
  return id;
}

async function finished(id: JobId): Promise<Job> {
  for (const deadline = Date.now() + 45_000; Date.now() < deadline; await setTimeout(20)) {
    const job = await queue.getJob(id);
    if (job !== undefined && isFinished(job.state)) return job;
  }
  throw new Error(`job ${id} did not finish: ${JSON.stringify(await queue.getJob(id))}`);
}

const stored = (shard: Shard): ShardResult => ({
  index: shard.index,
  documents: shard.range.documents,
  stored: shard.range.documents,
  skipped: 0,
  failed: 0,
  duplicates: 0,
  truncated: 0,
  chunks: shard.range.documents,
  tokens: 7 * shard.range.documents,
});

const brokers = [
  { name: 'Redis', missing: undefined, start: startTestRedis, as: (redisUrl: string) => ({ redisUrl }) },
  {
    name: 'Redis Cluster',
    missing: undefined,
    start: () => startTestCluster(),
    as: (redisUrl: string) => ({ redisUrl }),
  },
  {
    name: 'PostgreSQL',
    missing: missingPostgres,
    start: startTestPostgres,
    as: (postgresUrl: string) => ({ postgresUrl }),
  },
];

test('a job that a broker lost shards of starts over, and its counts are exact', async () => {
  const redis = await startTestRedis();
  closers.push(() => redis.stop());
  address = { redisUrl: redis.url };
  await prepare();
  const seen: number[] = [];
  const release = Promise.withResolvers<void>();
  await worker(async (shard) => {
    seen.push(shard.index);
    await release.promise;
    return stored(shard);
  }, 1);
  await dispatcher();
  const id = await submit(1000);
  while ((await queue.depth()).waiting < 2) await setTimeout(5);
  const shards = new BullQueue(`shards-${collection.profile.model}`, {
    connection: { path: redis.url },
    prefix: DEFAULT_PREFIX,
  });
  closers.push(() => shards.close());
  // As a master that dies before its replica has heard of the shard.
  expect(await shards.remove(`${id}-2`)).toBe(1);
  release.resolve();
  expect(await finished(id)).toMatchObject({ state: 'completed', stored: 1000, done: 1000, shardsDone: 4 });
  expect(seen.slice(0, 3)).toEqual([0, 1, 3]);
  expect([...new Set(seen)].sort()).toEqual([0, 1, 2, 3]);
}, 30_000);

describe.each(brokers)('by $name', ({ missing, start, as }) => {
  describe.skipIf(missing !== undefined)(
    missing === undefined ? 'the dispatcher' : `skipped: ${missing}`,
    () => {
      let broker: { url: string; stop(): Promise<void> };
      let tests = 0;

      beforeAll(async () => {
        broker = await start();
      });
      afterAll(() => broker.stop());
      beforeEach(async () => {
        tests += 1;
        address = { ...as(broker.url), prefix: `{test${tests}}` };
        await prepare();
      });

      test('every shard is settled once, and no more than the bound are on the queue', async () => {
        const seen: number[] = [];
        let most = 0;
        await worker(async (shard) => {
          const depth = await queue.depth();
          most = Math.max(most, depth.waiting + depth.active);
          seen.push(shard.index);
          return stored(shard);
        });
        await dispatcher();
        const job = await finished(await submit(5000));
        expect(job).toMatchObject({
          state: 'completed',
          documents: 5000,
          done: 5000,
          stored: 5000,
          chunks: 5000,
          shards: 20,
          shardsDone: 20,
        });
        expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
        expect(most).toBeLessThanOrEqual(3);
      });

      test('workers with room for more than a job may have in any case get more, up to the most', async () => {
        const slots = 12;
        let active = 0;
        const allBusy = Promise.withResolvers<void>();
        let most = 0;
        await worker(async (shard) => {
          active += 1;
          if (active === slots) allBusy.resolve();
          // Nobody is done before all are busy: with no more than the three of the bound, that would never be.
          await allBusy.promise;
          const depth = await queue.depth();
          most = Math.max(most, depth.waiting + depth.active);
          active -= 1;
          return stored(shard);
        }, slots);
        await dispatcher({ outstandingShards: 3, mostShards: 20 });
        const job = await finished(await submit(256 * 60));
        expect(job).toMatchObject({ state: 'completed', shardsDone: 60, stored: 256 * 60 });
        expect(most).toBeGreaterThanOrEqual(slots);
        expect(most).toBeLessThanOrEqual(20);
      });

      test('a dispatcher that stops hands its job to the next one, with exact counts', async () => {
        const seen: number[] = [];
        await worker(async (shard) => {
          seen.push(shard.index);
          return stored(shard);
        });
        const first = await dispatcher();
        const id = await submit(10_000);
        while (seen.length < 7) await setTimeout(5);
        await first.close();
        await dispatcher();
        expect(await finished(id)).toMatchObject({
          state: 'completed',
          done: 10_000,
          stored: 10_000,
          shardsDone: 40,
        });
        expect(seen.length).toBe(40);
      });

      test('a cancelled job takes its waiting shards back and ends', async () => {
        const release = Promise.withResolvers<void>();
        await worker(async (shard) => {
          await release.promise;
          return stored(shard);
        }, 1);
        await dispatcher();
        const id = await submit(5000);
        while ((await queue.depth()).active === 0) await setTimeout(10);
        await queue.cancel(id);
        while ((await queue.depth()).waiting > 0) await setTimeout(10);
        release.resolve();
        const job = await finished(id);
        expect(job).toMatchObject({ state: 'cancelled', shardsDone: 1 });
        await expect(queue.cancel(id)).rejects.toMatchObject({ code: 'job_finished' });
      });

      test('a shard that its workers die on again and again ends in the failures, document by document', async () => {
        let lost = 0;
        const ends: string[] = [];
        await dispatcher({
          hooks: { onLost: (documents) => (lost += documents), onFinished: (state) => void ends.push(state) },
        });
        const id = await submit(300);
        let deaths = 0;
        let ended = false;
        let current: ChildProcess | undefined;
        const entry = new URL('./dying-worker.fixture.ts', import.meta.url);
        const dying = (async () => {
          while (!ended) {
            const child = fork(entry, [JSON.stringify(address)], { execArgv: [] });
            current = child;
            const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
            if (signal === 'SIGKILL') deaths += 1;
            else if (!ended) throw new Error(`the fixture ended with ${code}`);
          }
        })();
        const job = await finished(id).finally(() => {
          ended = true;
          current?.kill('SIGTERM');
        });
        await dying;
        expect(job).toMatchObject({ state: 'completed', stored: 256, failed: 44, done: 300 });
        expect({ lost, ends }).toEqual({ lost: 44, ends: ['completed'] });
        // The first try, and three after it.
        expect(deaths).toBe(4);
        const failures = Buffer.concat(await Array.fromAsync(spool.readReports(id, 'failures')))
          .toString()
          .trim()
          .split('\n');
        expect(failures).toHaveLength(44);
        expect(JSON.parse(failures[0]!)).toMatchObject({
          line: 257,
          id: 'd256',
          code: 'worker_lost',
          retryable: true,
        });
      }, 60_000);

      test('finished jobs expire with their folders; those with failures stay until they are forgotten', async () => {
        await dispatcher();
        await worker(async (shard) =>
          shard.range.documents === 2
            ? failShard(spool, shard, new EmbedmillError('engine_crashed', 'it died'))
            : stored(shard),
        );
        const good = await submit(3);
        const bad = await submit(2);
        for (const id of [good, bad]) await finished(id);
        const running = newJobId();
        await mkdir(join(folder, running));
        const policy = { ageMs: 1000, failuresAgeMs: 3600_000, jobs: 100 };
        const parts = { queue, spool, policy, log: options().log };
        const soon = Date.now() + 60_000;

        await expect.poll(async () => (await sweep(parts, soon)).jobs, { timeout: 5000 }).toBe(1);
        expect(await queue.getJob(good)).toBeUndefined();
        expect((await readdir(folder)).sort()).toEqual([bad, running].sort());
        expect(await queue.getJob(bad)).toMatchObject({ failed: 2 });
        expect(
          Buffer.concat(await Array.fromAsync(spool.readReports(bad, 'failures'))).length,
        ).toBeGreaterThan(0);

        // A folder of no job goes when it is old: its upload may still be under way.
        const later = Date.now() + 25 * 3600_000;
        expect(await sweep({ ...parts, policy: { ...policy, failuresAgeMs: 1e12 } }, later)).toEqual({
          jobs: 0,
          folders: 1,
        });
        await queue.forget(bad);
        expect(await queue.getJob(bad)).toBeUndefined();
        await expect(queue.forget(bad)).rejects.toMatchObject({ code: 'job_not_found' });
      });

      test('a job that has not finished cannot be forgotten', async () => {
        const id = await submit(1);
        await expect(queue.forget(id)).rejects.toMatchObject({ code: 'job_not_finished' });
      });

      test('a source that does not exist ends the job as failed, with the reason', async () => {
        await dispatcher();
        const id = newJobId();
        const source = { kind: 'file', uri: 'file:///nowhere/at/all.ndjson', size: 3, modified: 0 } as const;
        await queue.submit({
          id,
          purpose: 'ingest',
          collection,
          source,
          label: '/nowhere',
          digest: 'x',
          retryOf: null,
        });
        expect(await finished(id)).toMatchObject({ state: 'failed', error: { code: 'source_unreadable' } });
      });
    },
  );
});
