/**
 * Runs many small jobs through a real Redis, dispatcher and spool, to check that nothing grows with their number:
 * prints Redis' memory and keys, and the spool's folders, after each round. The worker only settles shards.
 *
 *     node apps/api/src/bench/many-jobs.ts 20000
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { NO_COUNTS, profileSchema, type JobId, type Shard, type ShardResult } from '@embedmill/jobs';
import { connectQueue, ModelConsumer, newJobId } from '@embedmill/queue';
import { startTestRedis } from '@embedmill/redis-server';
import { Spool } from '@embedmill/sources';
import type { VectorStore } from '@embedmill/vector-store';
import { startDispatcher } from '../dispatch/dispatcher.ts';
import { sweep } from '../dispatch/retention.ts';
import { SourceThreads } from '../sources/source-threads.ts';

export interface Round {
  /** The number of jobs so far. */
  jobs: number;
  usedMemory: number;
  keys: number;
  folders: number;
}

/** Submits `rounds` times `perRound` jobs and keeps the last `kept` of them. */
export async function* manyJobs(rounds: number, perRound: number, kept: number): AsyncGenerator<Round> {
  const closers: (() => Promise<unknown>)[] = [];
  try {
    const server = await startTestRedis();
    closers.push(() => server.stop());
    const address = { redisUrl: server.url };
    const folder = await mkdtemp(join(tmpdir(), 'embedmill-many-jobs-'));
    closers.push(() => rm(folder, { recursive: true, force: true }));
    const spool = await Spool.open(folder);
    const threads = new SourceThreads(spool);
    closers.push(() => threads.close());
    const queue = await connectQueue(address);
    closers.push(() => queue.close());
    const redis = new Redis(server.url);
    closers.push(async () => redis.disconnect());
    const shared = { ...address, lockMs: 15_000, onError: () => {} };
    const worker = await ModelConsumer.open({ ...shared, shardConcurrency: 8, queryConcurrency: 1 });
    closers.push(() => worker.close());
    worker.serve(collection.profile.model, {
      shard: async (shard) => settled(shard),
      query: () => Promise.reject(new Error('nobody asks')),
    });
    const log = { info: () => {}, warn: () => {} };
    const store = {
      listCollections: async () => [],
      takeBack: async () => undefined,
    } as unknown as VectorStore;
    const dispatcher = await startDispatcher({
      ...address,
      jobs: 16,
      scans: 16,
      mostShards: 4,
      maxReports: 10_000,
      weightOf: () => 1,
      pollMs: 5,
      lockMs: 15_000,
      maxSourceBytes: 1e9,
      openUrl: () => Promise.reject(new Error('no URLs here')),
      // A collection without BM25 needs no average length, and no job reads stored documents.
      spool,
      threads,
      store,
      models: async () => [],
      log,
    });
    closers.push(() => dispatcher.close());

    const policy = { ageMs: 3_600_000, failuresAgeMs: 3_600_000, jobs: kept };
    for (let round = 1; round <= rounds; round += 1) {
      for (let n = 0; n < perRound; n += 1) await submit(spool, queue.submit.bind(queue));
      while ((await queue.retainedJobs()).some(({ isSettled }) => !isSettled)) await setTimeout(20);
      await sweep({ queue, spool, store, policy, log });
      const usedMemory = Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
      const folders = (await spool.listJobs()).length;
      yield { jobs: round * perRound, usedMemory, keys: await redis.dbsize(), folders };
    }
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

const collection = {
  name: 'many',
  profile: profileSchema.parse({}),
  dims: 2,
  vector: 'dense' as const,
  createdAt: new Date(0).toISOString(),
};

async function submit(spool: Spool, send: Awaited<ReturnType<typeof connectQueue>>['submit']): Promise<void> {
  const id: JobId = newJobId();
  async function* body(): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < 3; n += 1) yield Buffer.from(`{"id":"${id}-${n}","text":"a short text"}\n`);
  }
  const { source, sha256 } = await spool.receive(id, body(), { maxBytes: 1e6 });
  await send({ id, purpose: 'ingest', collection, source, label: 'upload', digest: sha256, retryOf: null });
}

function settled({ index, range: { documents } }: Shard): ShardResult {
  return { ...NO_COUNTS, index, documents, stored: documents, chunks: documents, tokens: documents };
}

if (import.meta.main) {
  const ROUNDS = 10;
  const jobs = Number(process.argv[2] ?? 10_000);
  process.stdout.write('   jobs  used_memory MB   keys  folders\n');
  for await (const round of manyJobs(ROUNDS, Math.ceil(jobs / ROUNDS), 200)) {
    const cells = [round.jobs, (round.usedMemory / 1e6).toFixed(2), round.keys, round.folders];
    const widths = [7, 16, 7, 9];
    process.stdout.write(`${cells.map((cell, at) => String(cell).padStart(widths[at] ?? 0)).join('')}\n`);
  }
}
