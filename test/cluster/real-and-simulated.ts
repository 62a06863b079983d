import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import {
  NO_COUNTS,
  isFinished,
  profileSchema,
  type Collection,
  type Job,
  type JobId,
  type Shard,
} from '@embedmill/jobs';
import { connectQueue, ModelConsumer, newJobId, type Queue } from '@embedmill/queue';
import { startTestRedis } from '@embedmill/redis-server';
import { Spool } from '@embedmill/sources';
import type { VectorStore } from '@embedmill/vector-store';
import { startDispatcher } from '../../apps/api/src/dispatch/dispatcher.ts';
import { SourceThreads } from '../../apps/api/src/sources/source-threads.ts';
import { deviceSeconds, type Cluster } from '../../apps/cli/src/plan/cluster.ts';
import { simulate } from '../../apps/cli/src/plan/simulation.ts';

/**
 * Compares the simulation with the real dispatcher, the real queue and a real Redis. Fake workers take as long for each
 * shard as the simulation does. All run in one process, so this compares how shards are handed out, not how fast a
 * machine embeds.
 */
export const SHARDS = 400;
const WORK = { shardSeconds: 0.1, sigma: 0.6, besideSeconds: 0.02 };

const CLUSTER: Cluster = {
  workers: 12,
  shardsInHand: 2,
  lockSeconds: 15,
  dispatchers: 1,
  mostShards: 1000,
  pollSeconds: 0.1,
  addSeconds: 0.0003,
};
export const CLUSTERS: [about: string, cluster: Cluster][] = [
  ['a bound that follows the workers', CLUSTER],
  ['a fixed bound that starves them', { ...CLUSTER, mostShards: 6 }],
  ['workers that have one shard in hand', { ...CLUSTER, shardsInHand: 1 }],
];

const collection: Collection = {
  name: 'test',
  profile: profileSchema.parse({}),
  dims: 2,
  vector: 'dense',
  createdAt: new Date(0).toISOString(),
};

/** Runs one job of this many shards in both. Measures seconds from the first claim of a shard to the job's end. */
export async function measureBoth(
  cluster: Cluster,
): Promise<{ real: number; simulated: number; job: Job; mostInHand: number }> {
  const closers: (() => Promise<unknown>)[] = [];
  try {
    const redis = await startTestRedis();
    closers.push(() => redis.stop());
    const folder = await mkdtemp(join(tmpdir(), 'embedmill-simulation-'));
    closers.push(() => rm(folder, { recursive: true, force: true }));
    const queue = await connectQueue({ redisUrl: redis.url });
    closers.push(() => queue.close());
    const rig = { redisUrl: redis.url, spool: await Spool.open(folder), queue, closers };
    const jobs = [{ shards: SHARDS, submittedAt: 0 }];
    return { ...(await runJob(rig, cluster)), simulated: simulate(cluster, { ...WORK, jobs }).seconds };
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

interface Rig {
  redisUrl: string;
  spool: Spool;
  queue: Queue;
  closers: (() => Promise<unknown>)[];
}

async function runJob({ redisUrl, spool, queue, closers }: Rig, cluster: Cluster) {
  let claimedAt: number | undefined;
  let inHand = 0;
  let mostInHand = 0;
  for (let n = 0; n < cluster.workers; n += 1) {
    const worker = await startFakeWorker(redisUrl, cluster.shardsInHand, (change) => {
      claimedAt ??= Date.now();
      inHand += change;
      mostInHand = Math.max(mostInHand, inHand);
    });
    closers.push(() => worker.close());
  }
  const threads = new SourceThreads(spool);
  closers.push(() => threads.close());
  const dispatcher = await startDispatcher({
    redisUrl,
    spool,
    threads,
    store: {} as VectorStore,
    models: () => Promise.resolve([]),
    jobs: 100,
    scans: 4,
    weightOf: () => 1,
    lockMs: 1000 * cluster.lockSeconds,
    pollMs: 1000 * cluster.pollSeconds,
    mostShards: cluster.mostShards,
    maxReports: 10_000,
    maxSourceBytes: 1e9,
    openUrl: () => Promise.reject(new Error('no URLs here')),
    log: { info: () => {}, warn: () => {} },
  });
  closers.push(() => dispatcher.close());
  const id = await submit(spool, queue);
  for (const deadline = Date.now() + 100_000; Date.now() < deadline; await setTimeout(20)) {
    const job = await queue.getJob(id);
    if (job === undefined || !isFinished(job.state)) continue;
    return { real: (Date.parse(job.finishedAt ?? '') - (claimedAt ?? 0)) / 1000, job, mostInHand };
  }
  throw new Error('the job did not finish');
}

/** A worker with one device, on which its shards take turns. `onHand` is called for each shard that comes and goes. */
async function startFakeWorker(redisUrl: string, shardsInHand: number, onHand: (change: 1 | -1) => void) {
  let device: Promise<void> = Promise.resolve();
  const consumer = await ModelConsumer.open({
    redisUrl,
    shardConcurrency: shardsInHand,
    queryConcurrency: 1,
    lockMs: 15_000,
    onError: () => {},
  });
  consumer.serve(collection.profile.model, {
    shard: async ({ index, range }: Shard) => {
      onHand(1);
      device = device.then(() => setTimeout(deviceSeconds(WORK, index) * 1000));
      await device;
      await setTimeout(WORK.besideSeconds * 1000);
      onHand(-1);
      const { documents } = range;
      return { ...NO_COUNTS, index, documents, stored: documents, chunks: documents, tokens: documents };
    },
    query: () => Promise.reject(new Error('nobody asks')),
  });
  return consumer;
}

async function submit(spool: Spool, queue: Queue): Promise<JobId> {
  const id = newJobId();
  // One document per shard: two would exceed a shard's bytes.
  const text = 'x'.repeat(150_000);
  async function* body() {
    for (let n = 0; n < SHARDS; n += 1) yield Buffer.from(`{"id":"d${n}","text":"${text}"}\n`);
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
