import { Job as BullJob, type Job, type Queue as BullQueue } from 'bullmq';
import {
  addResult,
  shardResultSchema,
  shardSchema,
  type JobId,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import type { Broker } from './broker.ts';
import { UNCLAIMED } from './bull-queues.ts';
import type { QueueOptions } from './connection.ts';
import type { IngestRecord } from './ingest-record.ts';
import { cancelKey, INGEST_QUEUE, shardIndexOf, shardJobId, shardQueue } from './names.ts';
import { openBroker } from './open-broker.ts';

export type IngestOptions = QueueOptions & {
  /** Jobs dispatched at the same time. */
  concurrency: number;
  /** After this long without a sign of life of its dispatcher, a job is taken over by another. */
  lockMs: number;
  onError: (error: Error) => void;
};

/** How often a shard is tried when what it needs (the store, the model) is away, and the longest pause between. */
const ATTEMPTS = 30;
const LONGEST_PAUSE_MS = 60_000;

/**
 * One ingest job in its dispatcher's hands. `record` is what the broker has, as of the last `save`; the dispatcher
 * changes it and saves it. Only one dispatcher holds a job at a time; if it dies, the next one gets the job with
 * the record as last saved, and `fold` makes up for what happened since.
 */
export class IngestHandle {
  readonly id: JobId;
  record: IngestRecord;
  readonly #job: Job<IngestRecord>;
  readonly #broker: Broker;
  readonly #ingest: BullQueue;
  readonly #shards: BullQueue<Shard>;

  constructor(job: Job<IngestRecord>, broker: Broker) {
    this.id = job.data.id;
    this.record = job.data;
    this.#job = job;
    this.#broker = broker;
    this.#ingest = broker.queues.get(INGEST_QUEUE);
    this.#shards = broker.queues.get(shardQueue(job.data.collection.profile.model));
  }

  /** How often this job was given back before, by a throw of its dispatcher or by a stop. */
  get attempt(): number {
    return this.#job.attemptsMade;
  }

  async save(): Promise<void> {
    await this.#job.updateData(this.record);
  }

  async isCancelled(): Promise<boolean> {
    return (await this.#broker.get(cancelKey(this.id))) !== null;
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

  /**
   * Finds which shards a dispatcher that died had added without saving it. They are added in order, so all before one
   * that is there have been. To be called before the first `fold`, which finds those that were settled: one that is
   * settled meanwhile is seen by the second look, and none is added again.
   */
  async findDispatched(): Promise<void> {
    let { dispatched } = this.record;
    let cursor: number | undefined = 0;
    do {
      const page: Awaited<ReturnType<Job['getDependencies']>> = await this.#job.getDependencies({
        unprocessed: { count: 1000, cursor },
      });
      for (const key of page.unprocessed ?? []) dispatched = Math.max(dispatched, shardIndexOf(key) + 1);
      cursor = page.nextUnprocessedCursor;
    } while (cursor !== undefined && cursor !== 0);
    this.record = { ...this.record, dispatched };
  }

  /** Shards that were added and have not been settled. */
  async outstanding(): Promise<number> {
    return (await this.#job.getDependenciesCount({ unprocessed: true })).unprocessed ?? 0;
  }

  /** Shards of all jobs with the same model that no worker has claimed. */
  async waiting(): Promise<number> {
    return this.#shards.getJobCountByTypes(...UNCLAIMED);
  }

  /** Takes back the shards that no worker has claimed. */
  async withdrawShards(): Promise<void> {
    await this.#broker.withdrawChildren(INGEST_QUEUE, this.id);
  }

  /**
   * Moves settled shards' results from the broker into the record's progress and saves it, each result once whatever
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
    await this.#broker.forgetChildren(INGEST_QUEUE, this.id, keys);
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
  const broker = await openBroker(options);
  const stop = new AbortController();
  const worker = broker.worker<IngestRecord, void>(
    INGEST_QUEUE,
    (job) => dispatch(new IngestHandle(job, broker), stop.signal),
    {
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
      await broker.close();
    },
  };
}

/** Pause before a shard's next try, in milliseconds: doubling from one second, with jitter. */
export function shardBackoff(attemptsMade: number): number {
  return Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** (attemptsMade - 1)) * (0.75 + Math.random() / 2);
}
