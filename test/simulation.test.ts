import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isFinished, profileSchema, type Collection, type JobId, type Shard } from '@embedmill/jobs';
import { connectQueue, ModelConsumer, newJobId, type Queue } from '@embedmill/queue';
import { startTestRedis } from '@embedmill/redis-server';
import { Spool } from '@embedmill/sources';
import type { VectorStore } from '@embedmill/vector-store';
import { startDispatcher } from '../apps/api/src/dispatcher.ts';
import { deviceSeconds, type Cluster } from '../apps/cli/src/plan/cluster.ts';
import { simulate } from '../apps/cli/src/plan/simulation.ts';

/**
 * The simulation beside what it simulates: the real dispatcher, the real queue and a real Redis, with fake workers that
 * take for each shard the time that the simulation takes for it. They run in one process, so what is compared is how
 * shards are handed out, not how fast a machine embeds.
 */
const SHARDS = 400;
const WORK = { shardSeconds: 0.1, sigma: 0.6, besideSeconds: 0.02 };
/** Real over simulated: a machine that has other work is slower, and never faster. */
const TOLERATED = { least: 0.9, most: 1.3 };

const collection: Collection = {
  name: 'test',
  profile: profileSchema.parse({}),
  dims: 2,
  vector: 'dense',
  createdAt: new Date(0).toISOString(),
};

const closers: (() => Promise<void>)[] = [];
let redisUrl: string;
let spool: Spool;
let queue: Queue;

beforeEach(async () => {
  const redis = await startTestRedis();
  closers.push(() => redis.stop());
  redisUrl = redis.url;
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-simulation-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  spool = await Spool.open(folder);
  queue = await connectQueue({ redisUrl });
  closers.push(() => queue.close());
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A fake worker: one device, which shards in hand take in turns. */
async function startFakeWorker(shardsInHand: number, onClaim: () => void): Promise<void> {
  let device: Promise<void> = Promise.resolve();
  const consumer = await ModelConsumer.open({
    ...{ redisUrl, shardConcurrency: shardsInHand, queryConcurrency: 1, lockMs: 15_000, onError: () => {} },
  });
  closers.push(() => consumer.close());
  consumer.serve(collection.profile.model, {
    shard: async ({ index, range }: Shard) => {
      onClaim();
      device = device.then(() => setTimeout(deviceSeconds(WORK, index) * 1000));
      await device;
      await setTimeout(WORK.besideSeconds * 1000);
      const { documents } = range;
      return {
        ...{ index, documents, stored: documents, skipped: 0, failed: 0, duplicates: 0 },
        ...{ truncated: 0, chunks: documents, tokens: documents },
      };
    },
    query: () => Promise.reject(new Error('nobody asks')),
  });
}

async function submit(): Promise<JobId> {
  const id = newJobId();
  // One document a shard: two would be more than a shard's bytes.
  const text = 'x'.repeat(150_000);
  async function* body() {
    for (let n = 0; n < SHARDS; n += 1) yield Buffer.from(`{"id":"d${n}","text":"${text}"}\n`);
  }
  const { source, sha256 } = await spool.receive(id, body(), { maxBytes: 1e9 });
  await queue.submit({
    ...{ id, purpose: 'ingest', collection, source, label: 'upload', digest: sha256, retryOf: null },
  });
  return id;
}

/** Seconds from the first claim of a shard to the job's end. */
async function realSeconds(cluster: Cluster): Promise<number> {
  let claimedAt: number | undefined;
  for (let n = 0; n < cluster.workers; n += 1) {
    await startFakeWorker(cluster.shardsInHand, () => (claimedAt ??= Date.now()));
  }
  const dispatcher = await startDispatcher({
    ...{ redisUrl, spool, store: {} as VectorStore, models: () => Promise.resolve([]) },
    ...{ jobs: cluster.jobsEach, lockMs: 1000 * cluster.lockSeconds, pollMs: 1000 * cluster.pollSeconds },
    ...{ outstandingShards: cluster.outstandingShards, mostShards: cluster.mostShards },
    ...{
      maxSourceBytes: 1e9,
      openUrl: () => Promise.reject(new Error('no URLs here')),
      log: { info: () => {}, warn: () => {} },
    },
  });
  closers.push(() => dispatcher.close());
  const id = await submit();
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await setTimeout(20)) {
    const job = await queue.getJob(id);
    if (job === undefined || !isFinished(job.state)) continue;
    expect(job).toMatchObject({ state: 'completed', shardsDone: SHARDS });
    return (Date.parse(job.finishedAt ?? '') - (claimedAt ?? 0)) / 1000;
  }
  throw new Error('the job did not finish');
}

const cluster: Cluster = {
  ...{ workers: 12, shardsInHand: 2, lockSeconds: 15, dispatchers: 1, jobsEach: 4 },
  ...{ outstandingShards: 4, mostShards: 1000, pollSeconds: 0.1, addSeconds: 0.0003 },
};

test.each([
  ['a bound that follows the workers', cluster],
  ['a fixed bound that starves them', { ...cluster, outstandingShards: 6, mostShards: 6 }],
  ['workers that have one shard in hand', { ...cluster, shardsInHand: 1 }],
])('with %s, a job takes as long as simulated', async (_, set) => {
  const jobs = [{ shards: SHARDS, submittedAt: 0 }];
  const simulated = simulate(set, { ...WORK, jobs }).seconds;
  const real = await realSeconds(set);
  const said = `${real} s, simulated ${simulated} s`;
  expect(real / simulated, said).toBeGreaterThan(TOLERATED.least);
  expect(real / simulated, said).toBeLessThan(TOLERATED.most);
});
