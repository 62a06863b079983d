import { Job as BullJob, type Job, type Queue as BullQueue } from 'bullmq';
import {
  addedReports,
  addedStages,
  addResult,
  dayOf,
  EmbedmillError,
  isFinished,
  NO_REPORTS,
  parseKept,
  shardResultSchema,
  shardSchema,
  withShardUsage,
  type Job as PublicJob,
  type JobId,
  type JobNote,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import { AcceptanceOrder } from './acceptance-order.ts';
import type { Broker } from './broker.ts';
import type { QueueOptions } from './connection.ts';
import { DispatcherQueue } from './dispatcher-queue.ts';
import { submissionKey, wholeRecord, type IngestRecord } from './ingest-record.ts';
import { viewOf } from './job-view.ts';
import { stateChange } from './job-index.ts';
import { JobLog } from './job-log.ts';
import { cancelKey, INGEST_QUEUE, shardIndexOf, shardJobId, shardQueue } from './names.ts';
import { openBroker } from './open-broker.ts';
import { isSettled, withSettled } from './settled-shards.ts';

export type IngestOptions = QueueOptions & {
  /** The most active jobs at the same time. */
  concurrency: number;
  /** After this long without a heartbeat of its dispatcher, another takes a job over. */
  lockMs: number;
  onError: (error: Error) => void;
};

/** A job, and which submission under its id. */
export type JobSubmission = Pick<IngestRecord, 'id' | 'submission'>;

/** How often a shard is retried while what it needs (the store, the model) is unavailable, and the longest pause. */
const ATTEMPTS = 30;
const LONGEST_PAUSE_MS = 60_000;
/** A shard that takes only some milliseconds. */
const SMALL_DOCUMENTS = 16;
const SMALL_BYTES = 16 * 1024;

/**
 * One ingest job of a dispatcher. `record` is what the broker has as of the last `save`; the dispatcher changes it and saves
 * it. Only one dispatcher holds a job at a time; if it dies, the next one gets the job with the last saved record, and
 * `fold` catches up with what happened since. A dispatcher that only seemed dead finds that it lost its lock: `assertHeld`
 * and `save` throw. Redis may have an older record if it lost the end of its file: the only invariant is that `progress` is
 * the sum over `settled`.
 */
export class IngestHandle {
  readonly id: JobId;
  record: IngestRecord;
  readonly #job: Job<IngestRecord>;
  /** Its entry in the job index. */
  #listedState: IngestRecord['state'];
  /** Of its lock. */
  readonly token: string;
  readonly #broker: Broker;
  readonly #order: AcceptanceOrder;
  readonly #log: JobLog;
  readonly #ingest: BullQueue;
  readonly #shards: BullQueue<Shard>;

  constructor(job: Job<IngestRecord>, token: string, broker: Broker) {
    this.id = job.data.id;
    this.record = wholeRecord(job.data);
    this.#listedState = job.data.state;
    this.#job = job;
    this.token = token;
    this.#broker = broker;
    this.#order = new AcceptanceOrder(broker);
    this.#log = new JobLog(broker);
    this.#ingest = broker.queues.get(INGEST_QUEUE);
    this.#shards = broker.queues.get(shardQueue(job.data.collection.profile.model));
  }

  /** How often this job was returned before, because its dispatcher threw or stopped. */
  get attempt(): number {
    return this.#job.attemptsMade;
  }

  /** The job as the API shows it. */
  get view(): PublicJob {
    return viewOf(this.record, this.#job.timestamp);
  }

  /** How often a dispatcher had lost its lock on it, by dying or failing to renew it, when this one got it. */
  get lockLosses(): number {
    return this.#job.stalledCounter;
  }

  /** Adds a line to the job’s log without waiting. */
  note(note: JobNote): void {
    this.#log.note(this.id, note);
  }

  /** Errors: `queue_unavailable` if another dispatcher has the job, or the broker lost it. */
  async save(): Promise<void> {
    const { state } = this.record;
    const listing = stateChange(this.record, this.#listedState, this.#job.timestamp);
    const isSaved = await this.#broker.saveHeld(INGEST_QUEUE, this.id, this.token, this.record, listing);
    if (!isSaved) throw this.#taken();
    this.#listedState = state;
  }

  /** Throws `queue_unavailable` if another dispatcher has the job, or the broker lost it. */
  async assertHeld(): Promise<void> {
    if (!(await this.#broker.isHeld(INGEST_QUEUE, this.id, this.token))) throw this.#taken();
  }

  /** The greatest sequence below this one of the job's own that may still be written; 0 if there is none. */
  async rival(sequence: number): Promise<number> {
    return this.#order.rivalOf(this.record.collection.name, sequence);
  }

  /** The sequences below this one that may still be written to the job's collection or its twin, smallest first. */
  async writableBelow(sequence: number): Promise<number[]> {
    const found = await Promise.all(this.#names().map((one) => this.#order.writableBelow(one, sequence)));
    return found.flat().sort((a, b) => a - b);
  }

  /** The jobs accepted before this one that may still write, including those of the collection's twin. */
  async olderJobs(): Promise<JobSubmission[]> {
    const { sequence } = this.record;
    const writers = await Promise.all(this.#names().map((one) => this.#order.olderThan(one, sequence)));
    return writers.flat().flatMap((writer) => {
      const [id = '', submission = ''] = writer.split(' ');
      return id.startsWith('job_') ? { id: id as JobId, submission } : [];
    });
  }

  /** The collections that contain the job's documents. */
  #names(): string[] {
    const { name, twin } = this.record.collection;
    return twin === undefined ? [name] : [name, twin.name];
  }

  /**
   * Whether such a job has ended; undefined if the broker does not know it. A job that stores no documents, or only those
   * of another tenant, counts as ended.
   */
  async stateOfWriter({ id, submission }: JobSubmission): Promise<'unfinished' | 'ended' | undefined> {
    const job = await BullJob.fromId<IngestRecord>(this.#ingest, id);
    if (job === undefined) return undefined;
    const { data } = job;
    const { tenant } = this.record;
    const isOther = tenant !== undefined && data.tenant !== undefined && data.tenant !== tenant;
    const stores = data.purpose === 'ingest' || data.purpose === 'copy';
    if (isOther || !stores || data.submission !== submission) return 'ended';
    return isFinished(data.state) ? 'ended' : 'unfinished';
  }

  /** Nothing writes under the job's sequence any more, except a verification if it is `repeatable`. */
  async leaveOrder(repeatable: boolean): Promise<void> {
    const { collection, sequence, sections } = this.record;
    const later = repeatable ? { sequence } : undefined;
    await this.#order.leave(collection.name, submissionKey(this.record), later, sections);
  }

  async isCancelled(): Promise<boolean> {
    return (await this.#broker.get(cancelKey(this.id))) !== null;
  }

  /** Adds a shard; does nothing while the same one exists. */
  async addShard(shard: Shard): Promise<void> {
    await this.#shards.add('shard', shard, {
      jobId: shardJobId(this.id, shard.index),
      parent: { id: this.id, queue: this.#ingest.qualifiedName },
      lifo: isSmallJob(shard),
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

  /** Removes the shards that no worker has claimed. */
  async withdrawShards(): Promise<void> {
    await this.#broker.withdrawChildren(INGEST_QUEUE, this.id);
  }

  /**
   * Moves the results of settled shards from the broker into the record's progress and usage and saves it. Each result counts
   * exactly once, whatever dies in between: the record notes counted shards together with the sum, and the results are
   * removed afterwards. `onLost` is called for each shard whose workers died and returns the outcome of its documents.
   * Returns the number of results.
   */
  async fold(onLost: (shard: Shard) => Promise<ShardResult>): Promise<number> {
    const { processed = {}, ignored = {} } = await this.#job.getDependencies({
      processed: { count: 500, cursor: 0 },
      ignored: { count: 500, cursor: 0 },
    });
    const keys = Object.keys({ ...processed, ...ignored });
    if (keys.length === 0) return 0;
    let { progress, settled, usage = {}, stageMs = {}, reported = NO_REPORTS } = this.record;
    const today = dayOf(Date.now());
    const count = (result: ShardResult): void => {
      if (isSettled(settled, result.index)) return;
      progress = addResult(progress, result);
      settled = withSettled(settled, result.index);
      usage = withShardUsage(usage, today, result);
      stageMs = addedStages(stageMs, result.stageMs);
      reported = addedReports(reported, result.reported ?? NO_REPORTS);
    };
    for (const value of Object.values(processed)) count(shardResultSchema.parse(value));
    for (const key of Object.keys(ignored)) {
      if (isSettled(settled, shardIndexOf(key))) continue;
      const lost = await BullJob.fromId<Shard>(this.#shards, shardJobId(this.id, shardIndexOf(key)));
      if (lost !== undefined) count(await onLost(parseKept(shardSchema, lost.data)));
    }
    this.record = { ...this.record, progress, settled, usage, stageMs, reported };
    await this.save();
    await this.#forget(keys, Object.keys(ignored));
    return keys.length;
  }

  /** A settled shard was removed with its result; a lost one is still in BullMQ's failed set. */
  async #forget(keys: string[], lost: string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.#broker.forgetChildren(INGEST_QUEUE, this.id, keys);
    for (const key of lost) await this.#shards.remove(shardJobId(this.id, shardIndexOf(key)));
  }

  #taken(): Error {
    const message = `another dispatcher has job ${this.id}, or the queue has lost it`;
    return new EmbedmillError('queue_unavailable', message);
  }
}

export interface IngestConsumer {
  /** Stops claiming jobs and releases the current ones, which another dispatcher (or this one, later) continues. */
  close(): Promise<void>;
}

/** Runs `dispatch` for each ingest job until it returns, again after a crash or an error. `queue` is the same for all. */
export async function consumeIngest(
  options: IngestOptions,
  dispatch: (handle: IngestHandle, signal: AbortSignal, queue: DispatcherQueue) => Promise<void>,
): Promise<IngestConsumer> {
  const broker = await openBroker(options);
  const queue = new DispatcherQueue(broker);
  const stop = new AbortController();
  const worker = broker.worker<IngestRecord, void>(
    INGEST_QUEUE,
    (job, token = '', given) => {
      const signal = given === undefined ? stop.signal : AbortSignal.any([stop.signal, given]);
      return dispatch(new IngestHandle(job, token, broker), signal, queue);
    },
    {
      concurrency: options.concurrency,
      lockDuration: options.lockMs,
      stalledInterval: options.lockMs / 2,
      maxStalledCount: 1_000_000,
    },
  );
  worker.on('error', options.onError);
  worker.on('lockRenewalFailed', (ids) => {
    for (const id of ids) worker.cancelJob(id, 'another dispatcher may have the job');
  });
  return {
    async close() {
      stop.abort(new Error('the dispatcher is stopping'));
      await worker.close();
      await broker.close();
    },
  };
}

/**
 * Whether it is a small first shard of a job. Workers claim it next, before large shards that are already on the queue, so
 * that a small job does not wait for thousands of documents of others. Its share's tokens still decide when it is added
 * (room.ts).
 */
function isSmallJob({ index, range }: Shard): boolean {
  return index === 0 && range.documents <= SMALL_DOCUMENTS && range.length <= SMALL_BYTES;
}

/** The pause before a shard's next attempt, in milliseconds: doubling from one second, with jitter. */
export function shardBackoff(attemptsMade: number): number {
  return Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** (attemptsMade - 1)) * (0.75 + Math.random() / 2);
}
