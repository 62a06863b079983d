import { serialize } from 'node:v8';
import { WaitingError, type Job as BullJob } from 'bullmq';
import {
  asEmbedmillError,
  EmbedmillError,
  parseKept,
  querySchema,
  type JobId,
  type NoteJob,
  shardSchema,
  type Query,
  type QueryResult,
  type Shard,
  type ShardResult,
} from '@embedmill/jobs';
import type { Broker, BrokerWorker } from './broker.ts';
import { UNCLAIMED } from './bull-queues.ts';
import { queueUnavailable, within, type QueueOptions } from './connection.ts';
import { shardBackoff } from './ingest-consumer.ts';
import { JobLog } from './job-log.ts';
import { MODELS, queryQueue, shardQueue, troubleKey } from './names.ts';
import { openBroker } from './open-broker.ts';
import type { QueryMessage, QueryReply } from './query-client.ts';
import { ServingNotes } from './serving.ts';
import { WorkerNotes, type WorkerState } from './worker-notes.ts';

export type ModelConsumerOptions = QueueOptions & {
  /** Shards in hand at the same time; their chunks share batches. With 0 it takes none, and answers queries alone. */
  shardConcurrency: number;
  queryConcurrency: number;
  /** After this long without a heartbeat of its worker, another worker gets a shard. */
  lockMs: number;
  /** The models that this worker is configured to serve; undefined: all models in use. */
  models?: readonly string[] | undefined;
  onError: (error: Error) => void;
  hooks?: ConsumerHooks;
};

export interface ConsumerHooks {
  /** A shard or query was claimed for the first time after this long on the queue. */
  onTaken?: (lane: 'bulk' | 'interactive', waitedSeconds: number) => void;
  /** A shard returned to the queue because its worker (another one) sent no heartbeat. */
  onStalled?: () => void;
}

export interface ShardAttempt {
  lastAttempt: boolean;
  /** Adds a line to the log of the shard’s job; it is not waited for. */
  note: NoteJob;
}

export interface ModelHandlers {
  /**
   * Settles a shard. If it throws, the shard is returned and retried after a pause; on the `lastAttempt` it should settle its
   * documents as failed instead.
   */
  shard: (shard: Shard, attempt: ShardAttempt) => Promise<ShardResult>;
  query: (query: Query) => Promise<QueryResult>;
}

/** How often workers may die on a shard before its documents count as failed. */
const MAX_STALLED = 3;
/** How long a call may wait for the broker. */
const DEADLINE_MS = 5000;
const GIVEN_BACK = Symbol('given back');
/** Longer than the longest pause between two attempts to load a model. */
const TROUBLE_SECONDS = 60;

/**
 * A worker's side of the queue: it claims the shards and queries of models. Each model has two BullMQ workers, one per lane.
 * `close` stops claiming and waits for work in progress, which `giveBack` ends.
 */
export class ModelConsumer {
  readonly #options: ModelConsumerOptions;
  readonly #broker: Broker;
  readonly #workers = new Map<string, BrokerWorker[]>();
  readonly #log: JobLog;
  readonly #notes: ServingNotes;
  readonly #announcement: WorkerNotes;
  /** Shards in progress, by job. */
  readonly #inHand = new Map<string, number>();
  /** For each shard in progress, what ends it without a result. */
  readonly #ends = new Set<(end: typeof GIVEN_BACK) => void>();
  #closed = false;

  private constructor(options: ModelConsumerOptions, broker: Broker) {
    this.#options = options;
    this.#broker = broker;
    this.#log = new JobLog(broker);
    this.#notes = new ServingNotes(broker, options.models);
    this.#announcement = new WorkerNotes(broker, { most: options.shardConcurrency, counts: this.#inHand });
  }

  /** Errors: `queue_unavailable`, `queue_may_evict`, `invalid_config`. */
  static async open(options: ModelConsumerOptions): Promise<ModelConsumer> {
    const consumer = new ModelConsumer(options, await openBroker(options));
    await within(consumer.#notes.start(), DEADLINE_MS).catch(async (error: unknown) => {
      await consumer.close();
      throw queueUnavailable(error);
    });
    return consumer;
  }

  /** Models that collections use, as the API announced them. */
  async modelsInUse(): Promise<string[]> {
    return this.#broker.members(MODELS);
  }

  /** Reports the worker's state from now on until it is closed. */
  async announce(describe: () => WorkerState): Promise<void> {
    await this.#announcement.start(describe);
  }

  /** Announces that a model is being loaded, so that its queries wait; `serve` or `reportTrouble` ends this. */
  noteLoading(model: string): void {
    this.#notes.noteLoading(model);
  }

  /** Reports why jobs and queries wait for a model; `null` once it can be loaded. */
  async reportTrouble(model: string, error: { code: string; message: string } | null): Promise<void> {
    const key = troubleKey(model);
    if (error === null) return this.#broker.delete(key);
    this.#notes.noteFailed(model);
    const { code, message } = error;
    await this.#broker.set(key, JSON.stringify({ code, message }), TROUBLE_SECONDS);
  }

  /** Claimable shards of the models that it serves. Errors: `queue_unavailable`, within seconds. */
  async waiting(): Promise<number> {
    let waiting = 0;
    if (this.#options.shardConcurrency === 0) return waiting;
    for (const model of this.#workers.keys()) {
      const queue = this.#broker.queues.get(shardQueue(model));
      const counted = Promise.all([queue.isPaused(), queue.getJobCountByTypes(...UNCLAIMED)]);
      const [paused, count] = await within(counted, DEADLINE_MS).catch((error: unknown) => {
        throw queueUnavailable(error);
      });
      if (!paused) waiting += count;
    }
    return waiting;
  }

  async ping(): Promise<void> {
    await this.#broker.ping();
  }

  /** Starts to claim a model's work. Once per model. */
  serve(model: string, handlers: ModelHandlers): void {
    if (this.#closed || this.#workers.has(model)) return;
    const { shardConcurrency } = this.#options;
    const workers = [
      ...(shardConcurrency > 0 ? [this.#shardWorker(model, handlers, shardConcurrency)] : []),
      this.#queryWorker(model, handlers),
    ];
    for (const worker of workers) worker.on('error', this.#options.onError);
    this.#workers.set(model, workers);
    this.#notes.noteServing(model);
  }

  #shardWorker(model: string, handlers: ModelHandlers, concurrency: number): BrokerWorker {
    const shards = this.#broker.worker<Shard, ShardResult>(
      shardQueue(model),
      async (job, token) => {
        this.#noteTaken('bulk', job);
        const lastAttempt = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
        const shard = parseKept(shardSchema, job.data);
        this.#hold(shard.job, 1);
        const settling = handlers.shard(shard, {
          lastAttempt,
          note: (note) => this.#log.note(shard.job as JobId, note),
        });
        const result = await this.#orGivenBack(settling).finally(() => this.#hold(shard.job, -1));
        if (result !== GIVEN_BACK) return result;
        await job.moveToWait(token);
        throw new WaitingError();
      },
      {
        ...this.#locks(),
        concurrency,
        settings: { backoffStrategy: (attemptsMade: number) => shardBackoff(attemptsMade) },
      },
    );
    shards.on('stalled', () => this.#options.hooks?.onStalled?.());
    return shards;
  }

  #queryWorker(model: string, handlers: ModelHandlers): BrokerWorker {
    return this.#broker.worker<QueryMessage, void>(
      queryQueue(model),
      async (job) => {
        this.#noteTaken('interactive', job);
        const { id, replyTo, deadline, query } = job.data;
        if (Date.now() > deadline) return;
        const reply = await this.#answer(id, query, handlers);
        await this.#broker.publish(replyTo, serialize(reply));
      },
      { ...this.#locks(), concurrency: this.#options.queryConcurrency },
    );
  }

  #locks() {
    const { lockMs } = this.#options;
    return { lockDuration: lockMs, stalledInterval: lockMs / 2, maxStalledCount: MAX_STALLED };
  }

  /**
   * Returns the shards in progress to the queue, where others claim them immediately instead of waiting until the locks
   * expire. Work that still runs here gets no result. For a closing worker that has run out of time.
   */
  giveBack(): void {
    for (const end of this.#ends) end(GIVEN_BACK);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#notes.stop();
    await Promise.allSettled([...this.#workers.values()].flat().map((worker) => worker.close()));
    await this.#announcement.stop();
    await this.#broker.close();
  }

  #hold(job: string, by: 1 | -1): void {
    const count = (this.#inHand.get(job) ?? 0) + by;
    if (count > 0) this.#inHand.set(job, count);
    else this.#inHand.delete(job);
  }

  /** The outcome of a shard, unless it was returned before; a later outcome is ignored. */
  async #orGivenBack(settling: Promise<ShardResult>): Promise<ShardResult | typeof GIVEN_BACK> {
    const { promise, resolve } = Promise.withResolvers<typeof GIVEN_BACK>();
    this.#ends.add(resolve);
    try {
      return await Promise.race([settling, promise]);
    } finally {
      this.#ends.delete(resolve);
    }
  }

  #noteTaken(lane: 'bulk' | 'interactive', job: Pick<BullJob, 'attemptsMade' | 'timestamp'>): void {
    if (job.attemptsMade > 0) return;
    this.#options.hooks?.onTaken?.(lane, Math.max(0, Date.now() - job.timestamp) / 1000);
  }

  async #answer(id: string, query: unknown, handlers: ModelHandlers): Promise<QueryReply> {
    try {
      return { id, ok: true, result: await handlers.query(understood(query)) };
    } catch (error) {
      const { code, message, details } = asEmbedmillError(error);
      return { id, ok: false, code, message, details };
    }
  }
}

/** A query that this release does not understand comes from an API of a later release during an upgrade. */
function understood(given: unknown): Query {
  const { data, error } = querySchema.safeParse(given);
  if (data !== undefined) return data;
  const [{ path, message } = { path: [], message: '' }] = error.issues;
  const where = path.length === 0 ? '' : ` (${path.join('/')})`;
  throw new EmbedmillError(
    'no_worker',
    `the worker that took the query does not know what it asks for: ${message}${where}; is it of an earlier release than the API?`,
    { retryAfter: 5 },
  );
}
