/**
 * The cost of the queue: a job whose shards are claimed and settled by a worker that does nothing else, through a real Redis
 * as started by `embedmill up`. Measures the CPU time of Redis, and of the queue's code at both ends.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NO_COUNTS, profileSchema, type CollectionName, type ShardResult } from '@embedmill/jobs';
import { connectQueue, consumeIngest, ModelConsumer, newJobId, type IngestHandle } from '@embedmill/queue';
import { findRedisProgram } from '@embedmill/redis-server';
import { CommandError } from '../exit.ts';
import { startRedis } from '../stack/redis.ts';
import { cpuSecondsOf } from './process-usage.ts';

const SHARDS = 400;
/** The number of short documents that the scan puts into one shard. */
const DOCUMENTS_A_SHARD = 256;
const OUTSTANDING = 32;
const MODEL = 'queue-cost';

export interface QueueCost {
  documents: number;
  cpuMsPer100Documents: number;
}

export async function measureQueueCost(
  folder: string,
  redisPackageFolder: string,
  signal: AbortSignal,
): Promise<QueueCost> {
  const program = await findRedisProgram(redisPackageFolder, () => undefined, signal);
  const socket = join(folder, 'queue.sock');
  const where = { folder: join(folder, 'redis'), socket, logPath: join(folder, 'redis.log') };
  const redis = await startRedis(program, where, signal);
  const fail = (error: Error): void => void error;
  try {
    const consumer = await ModelConsumer.open({
      redisUrl: socket,
      shardConcurrency: 4,
      queryConcurrency: 4,
      lockMs: 15_000,
      onError: fail,
    });
    consumer.serve(MODEL, {
      shard: async ({ index }) => settled(index),
      query: () => Promise.reject(new Error('nobody asks')),
    });
    const finished = Promise.withResolvers<void>();
    const dispatcher = await consumeIngest(
      { redisUrl: socket, concurrency: 1, lockMs: 15_000, onError: fail },
      (handle) => dispatch(handle).then(finished.resolve, finished.reject),
    );
    const queue = await connectQueue({ redisUrl: socket });
    try {
      const before = process.cpuUsage();
      const redisBefore = cpuSecondsOf(redis.pid);
      await queue.submit(job());
      await finished.promise;
      const { user, system } = process.cpuUsage(before);
      const ofRedis = cpuSecondsOf(redis.pid);
      if (redisBefore === undefined || ofRedis === undefined) {
        throw new CommandError('the cost of the queue can be measured only on Linux');
      }
      const seconds = (user + system) / 1e6 + ofRedis - redisBefore;
      const documents = SHARDS * DOCUMENTS_A_SHARD;
      return { documents, cpuMsPer100Documents: (1000 * seconds) / (documents / 100) };
    } finally {
      await queue.close();
      await dispatcher.close();
      await consumer.close();
    }
  } finally {
    await redis.stop(5000);
  }
}

/** Acts like the dispatcher: adds shards up to the bound and aggregates results until none is left. */
async function dispatch(handle: IngestHandle): Promise<void> {
  const lost = () => Promise.reject(new Error('a shard was lost'));
  let index = 0;
  for (;;) {
    let outstanding = await handle.outstanding();
    for (; index < SHARDS && outstanding < OUTSTANDING; index += 1, outstanding += 1) {
      const range = { offset: index, length: 1, firstLine: 1, documents: DOCUMENTS_A_SHARD, duplicates: [] };
      const { collection, source } = handle.record;
      if (source.kind !== 'file') throw new Error('the job has another source than it was given');
      await handle.addShard({
        job: handle.id,
        index,
        sequence: 1,
        rival: 0,
        purpose: 'ingest',
        collection,
        source,
        range,
      });
    }
    await handle.fold(lost);
    if (outstanding === 0 && index === SHARDS) return;
    await sleep(50);
  }
}

function job() {
  const collection = {
    name: 'queue-cost' as CollectionName,
    profile: profileSchema.parse({ model: MODEL }),
    dims: 384,
    vector: 'dense',
    createdAt: new Date().toISOString(),
  };
  const source = { kind: 'file', uri: 'file:///documents.ndjson', size: SHARDS, modified: 0 } as const;
  return {
    id: newJobId(),
    purpose: 'ingest' as const,
    collection,
    source,
    label: 'bench',
    digest: 'bench',
    retryOf: null,
  };
}

function settled(index: number): ShardResult {
  const documents = DOCUMENTS_A_SHARD;
  return { ...NO_COUNTS, index, documents, stored: documents, chunks: documents, tokens: documents * 12 };
}
