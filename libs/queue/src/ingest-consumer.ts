import { Job as BullJob, Worker, type Job, type Queue as BullQueue } from 'bullmq';
import { BullQueues } from './bull-queues.ts';
import type { Redis } from 'ioredis';
import {
  addResult,
  shardResultSchema,
  shardSchema,
  type JobId,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import { assertUsable, DEFAULT_PREFIX, openConnection, type QueueOptions } from './connection.ts';
import type { IngestRecord } from './ingest-record.ts';
import { cancelKey, INGEST_QUEUE, shardIndexOf, shardJobId, shardQueue } from './names.ts';

export interface IngestOptions extends QueueOptions {
  /** Jobs dispatched at the same time. */
  concurrency: number;
  /** After this long without a sign of life of its dispatcher, a job is taken over by another. */
  lockMs: number;
  onError: (error: Error) => void;
}

/** How often a shard is tried when what it needs (the store, the model) is away, and the longest pause between. */
const ATTEMPTS = 30;
const LONGEST_PAUSE_MS = 60_000;

/**
 * One ingest job in its dispatcher's hands. `record` is what Redis has, as of the last `save`; the dispatcher
 * changes it and saves it. Only one dispatcher holds a job at a time; if it dies, the next one gets the job with
 * the record as last saved, and `fold` makes up for what happened since.
 */
export class IngestHandle {
  readonly id: JobId;
  record: IngestRecord;
  readonly #job: Job<IngestRecord>;
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #ingest: BullQueue;
  readonly #shards: BullQueue<Shard>;

  constructor(
    job: Job<IngestRecord>,
    redis: Redis,
    prefix: string,
    ingest: BullQueue,
    shards: BullQueue<Shard>,
  ) {
    this.id = job.data.id;
    this.record = job.data;
    this.#job = job;
    this.#redis = redis;
    this.#prefix = prefix;
    this.#ingest = ingest;
    this.#shards = shards;
  }

  /** How often this job was given back before, by a throw of its dispatcher or by a stop. */
  get attempt(): number {
    return this.#job.attemptsMade;
  }

  async save(): Promise<void> {
    await this.#job.updateData(this.record);
  }

  async isCancelled(): Promise<boolean> {
    return (await this.#redis.exists(cancelKey(this.#prefix, this.id))) === 1;
  }

  /** Adds a shard; adding the same one again does nothing while it is there. */
  async addShard(shard: Shard): Promise<void> {
    await this.#shards.add('shard', shard, {
      jobId: shardJobId(this.id, shard.index),
      parent: { id: this.id, queue: this.#ingest.qualifiedName },
      ignoreDependencyOnFailure: true,
      removeOnComplete: true,
      attempts: ATTEMPTS,
      backoff: { type: 'custom' },
    });
  }

  /** Shards that were added and have not been settled. */
  async outstanding(): Promise<number> {
    return (await this.#job.getDependenciesCount({ unprocessed: true })).unprocessed ?? 0;
  }

  /** Takes back the shards that no worker has claimed. */
  async withdrawShards(): Promise<void> {
    await this.#job.removeUnprocessedChildren();
  }

  /**
   * Moves settled shards' results from Redis into the record's progress and saves it, each result once whatever
   * dies in between: what is being folded is saved with the sum, and removed afterwards. `onLost` is called for
   * each shard that its workers died on, and says what became of its documents.
   */
  async fold(onLost: (shard: Shard) => Promise<ShardResult>): Promise<number> {
    await this.#forget(this.record.folding, this.record.folding);
    const { processed = {}, ignored = {} } = await this.#job.getDependencies({
      processed: { count: 500, cursor: 0 },
      ignored: { count: 500, cursor: 0 },
    });
    const keys = Object.keys({ ...processed, ...ignored });
    if (keys.length === 0 && this.record.folding.length === 0) return 0;
    let { progress } = this.record;
    let { dispatched } = this.record;
    for (const value of Object.values(processed)) {
      const result = shardResultSchema.parse(value);
      progress = addResult(progress, result);
      dispatched = Math.max(dispatched, result.index + 1);
    }
    for (const key of Object.keys(ignored)) {
      const lost = await BullJob.fromId<Shard>(this.#shards, shardJobId(this.id, shardIndexOf(key)));
      if (lost === undefined) continue;
      progress = addResult(progress, await onLost(shardSchema.parse(lost.data)));
      dispatched = Math.max(dispatched, lost.data.index + 1);
    }
    this.record = { ...this.record, progress, dispatched, folding: keys };
    await this.save();
    await this.#forget(keys, Object.keys(ignored));
    return keys.length;
  }

  /** A shard that was settled is gone with its result; one that was lost is still in BullMQ's failed set. */
  async #forget(keys: string[], lost: string[]): Promise<void> {
    if (keys.length === 0) return;
    const own = `${this.#prefix}:${INGEST_QUEUE}:${this.id}`;
    await this.#redis.hdel(`${own}:processed`, ...keys);
    await this.#redis.hdel(`${own}:failed`, ...keys);
    for (const key of lost) await this.#shards.remove(shardJobId(this.id, shardIndexOf(key)));
  }
}

export interface IngestConsumer {
  /** Stops taking jobs and lets go of those in hand, which another dispatcher (or this one, later) goes on with. */
  close(): Promise<void>;
}

/** Runs `dispatch` for each ingest job, again after a crash or a throw, until it returns. */
export async function consumeIngest(
  options: IngestOptions,
  dispatch: (handle: IngestHandle, signal: AbortSignal) => Promise<void>,
): Promise<IngestConsumer> {
  const prefix = options.prefix ?? DEFAULT_PREFIX;
  const redis = openConnection(options.redisUrl);
  await assertUsable(redis).catch((error: unknown) => {
    redis.disconnect();
    throw error;
  });
  const queues = new BullQueues(redis, prefix);
  const ingest = queues.get<IngestRecord>(INGEST_QUEUE);
  const stop = new AbortController();
  const worker = new Worker<IngestRecord>(
    INGEST_QUEUE,
    async (job) => {
      const handle = new IngestHandle(
        job,
        redis,
        prefix,
        ingest,
        queues.get(shardQueue(job.data.collection.profile.model)),
      );
      await dispatch(handle, stop.signal);
    },
    {
      connection: redis,
      prefix,
      concurrency: options.concurrency,
      lockDuration: options.lockMs,
      stalledInterval: options.lockMs / 2,
      maxStalledCount: 1_000_000,
    },
  );
  worker.on('error', options.onError);
  return {
    async close() {
      stop.abort(new Error('the dispatcher is stopping'));
      await worker.close();
      await queues.close();
      redis.disconnect();
    },
  };
}

/** Pause before a shard's next try, in milliseconds: doubling from one second, with jitter. */
export function shardBackoff(attemptsMade: number): number {
  return Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** (attemptsMade - 1)) * (0.75 + Math.random() / 2);
}
