import { randomUUID } from 'node:crypto';
import type { Job as BullJob, Queue as BullQueue } from 'bullmq';
import { z } from 'zod';
import {
  dayOf,
  EmbedmillError,
  isFinished,
  type Job,
  type JobId,
  prioritySchema,
  type JobState,
  type Priority,
  type QueryOf,
  type QueryResult,
  type QueryTask,
} from '@embedmill/jobs';
import { AcceptanceOrder } from './acceptance-order.ts';
import { backlogOf, workLeft, QUERY_WAKES_MS, type Backlog, type SampledJob } from './backlog.ts';
import type { Broker } from './broker.ts';
import { UNCLAIMED, type BullQueues } from './bull-queues.ts';
import { queueUnavailable, refusedForNow, within, type QueueOptions } from './connection.ts';
import type { QueueMemory } from './memory.ts';
import {
  newRecord,
  submissionKey,
  viewOf,
  wholeRecord,
  type IngestRecord,
  type NewJob,
} from './ingest-record.ts';
import {
  cancelKey,
  INGEST_QUEUE,
  MODELS,
  TOLD_MODELS,
  priorityKey,
  queryQueue,
  shardQueue,
  troubleKey,
  turnKey,
} from './names.ts';
import { amountsOf, countsOf, usageCounts, usageOwner, UsageSum, type UsageEntry } from './usage.ts';
import { openBroker } from './open-broker.ts';
import { QueryClient } from './query-client.ts';
import { notInUse, servedByNone, ServingLook } from './serving.ts';

/** What is asked of a job is done, or the job is over, long before. */
const ASKED_SECONDS = 14 * 24 * 3600;
/** How long a call may wait for the broker. */
const DEADLINE_MS = 5000;
/** How long a query waits where workers have said that they cannot load its model. */
const TROUBLED_QUERY_MS = 2000;
/** States of what nobody has taken, or has given back for a while. */
const WAITING = [...UNCLAIMED, 'prioritized', 'delayed'] as const;
const DAY_MS = 24 * 3600 * 1000;
/** How long usage is kept where nothing else is set. */
const USAGE_DAYS = 400;
/** Jobs whose records a look at the backlog reads at most, of those that wait as of those that are active. */
const SAMPLED_JOBS = 200;
const troubleSchema = z.strictObject({ code: z.string(), message: z.string() });

/** How a query is asked. */
export interface QueryOptions {
  timeoutMs: number;
  /** Aborts when nobody wants the answer any more. */
  signal?: AbortSignal | undefined;
  /** Whether workers may be made to load the model for it, where none has it; true by default. */
  mayBringIn?: boolean;
}

/** What decides how long a job is kept. */
export interface RetainedJob {
  id: JobId;
  state: JobState;
  /** Whether its dispatcher has let go of it. */
  isSettled: boolean;
  /** Epoch milliseconds; 0 while it has not. */
  finishedAt: number;
  /** Documents that failed. */
  failed: number;
  retryOf: JobId | null;
  collection: string;
  sequence: number;
}

export interface QueueDepth {
  /** Shards that no worker has claimed yet, those that wait for another try included. */
  waiting: number;
  active: number;
  /** Age of the oldest waiting shard, in seconds. */
  oldestSeconds: number;
  /** Unfinished jobs: that wait for a dispatcher, and that one has in hand. */
  jobs: { waiting: number; active: number };
}

/**
 * The producer's side of the queue: jobs in, their state out, and queries through the interactive lane.
 *
 * It holds connections from `connectQueue` until `close`. Calls fail with `queue_unavailable` within seconds
 * when the broker is away, and work again when it is back. Used by the API alone.
 */
export class Queue {
  readonly #broker: Broker;
  readonly #ingest: BullQueue<IngestRecord>;
  readonly #queues: BullQueues;
  readonly #queries: QueryClient;
  readonly #serving: ServingLook;
  readonly #order: AcceptanceOrder;
  readonly #usageSeconds: number;

  constructor(broker: Broker, queries: QueryClient, usageDays: number) {
    this.#usageSeconds = usageDays * 24 * 3600;
    this.#broker = broker;
    this.#queues = broker.queues;
    this.#ingest = this.#queues.get(INGEST_QUEUE);
    this.#queries = queries;
    this.#serving = new ServingLook(broker);
    this.#order = new AcceptanceOrder(broker);
  }

  /**
   * Queues a job, as the last one in the order of acceptance unless it repeats another. An id that is known gives the job it stands for, or `idempotency_conflict` when the two
   * differ in collection, tenant or digest. `keep` is called with a new job's record before the queue has it: when it
   * was called and then `queue_unavailable` is thrown, whether the queue has the job is not known.
   */
  async submit(
    job: NewJob,
    keep?: (record: IngestRecord) => Promise<void>,
  ): Promise<{ job: Job; created: boolean }> {
    const existing = await this.#find(job.id);
    if (existing !== undefined) return { job: sameJob(existing, job), created: false };
    const submission = randomUUID();
    const writer = submissionKey({ id: job.id, submission });
    const record = newRecord(job, submission, await this.#accept(job, writer));
    const withdraw = () => this.#call(this.#order.leave(job.collection.name, writer));
    try {
      await keep?.(record);
    } catch (thrown) {
      await withdraw().catch(() => undefined);
      throw thrown;
    }
    const stored = await this.#add(record);
    const created = stored.data.submission === submission;
    if (!created) await withdraw();
    return { job: sameJob(stored, job), created };
  }

  /** Runs a write that is no job, such as a deletion, in its place in the order of acceptance. */
  async inOrder<T>(collection: string, write: (sequence: number) => Promise<T>): Promise<T> {
    const writer = `write ${randomUUID()}`;
    const sequence = await this.#call(this.#order.take(collection, writer));
    try {
      return await write(sequence);
    } finally {
      // What is left where the queue is away is swept later.
      await this.#call(this.#order.leave(collection, writer)).catch(() => undefined);
    }
  }

  /** Queues a job as it was kept when it was submitted; does nothing where the queue has it. */
  async restore(record: IngestRecord): Promise<void> {
    const { collection, sequence } = record;
    await this.#call(this.#order.join(collection.name, submissionKey(record), sequence));
    await this.#add(record);
  }

  async #add(record: IngestRecord): Promise<BullJob<IngestRecord>> {
    await this.announceModel(record.collection.profile.model);
    const added = await this.#call(
      this.#ingest.add('ingest', record, {
        jobId: record.id,
        attempts: 1_000_000,
        backoff: { type: 'fixed', delay: 2000 },
        stackTraceLimit: 1,
      }),
    );
    return (await this.#find(record.id)) ?? added;
  }

  /** Calls back whenever the queue is back after it was away, and may have less than it had. */
  onReturn(callback: () => void): void {
    this.#broker.onReturn(callback);
  }

  async getJob(id: JobId): Promise<Job | undefined> {
    const job = await this.#find(id);
    if (job === undefined) return undefined;
    const { data, timestamp } = job;
    if (isFinished(data.state)) return viewOf(data, timestamp);
    const [paused, trouble, asked] = await Promise.all([
      this.isPaused(),
      this.#troubleOf(data.collection.profile.model),
      this.#call(this.#broker.get(priorityKey(id))),
    ]);
    const priority = prioritySchema.safeParse(asked).data ?? data.priority;
    return viewOf({ ...data, priority }, timestamp, { paused, trouble });
  }

  /** What a job was submitted with, as its retry needs it. */
  async getSubmission(id: JobId): Promise<IngestRecord | undefined> {
    const found = await this.#find(id);
    return found && wholeRecord(found.data);
  }

  /** Jobs, the newest first. */
  async listJobs(options: {
    collection?: string | undefined;
    state?: JobState | undefined;
    limit: number;
    offset: number;
    /** Those of which this holds; all by default. */
    where?: (job: Pick<IngestRecord, 'collection' | 'tenant'>) => boolean;
  }): Promise<Job[]> {
    const { where = () => true } = options;
    const [found, paused] = await Promise.all([this.#all(), this.isPaused()]);
    return found
      .filter(({ data }) => options.collection === undefined || data.collection.name === options.collection)
      .filter(({ data }) => where(data))
      .filter(({ data }) => options.state === undefined || data.state === options.state)
      .sort((a, b) => b.timestamp - a.timestamp || (a.data.id < b.data.id ? 1 : -1))
      .slice(options.offset, options.offset + options.limit)
      .map((job) => viewOf(job.data, job.timestamp, { paused }));
  }

  /** All jobs there are, in no order. */
  async retainedJobs(): Promise<RetainedJob[]> {
    return (await this.#all()).map(({ data, finishedOn }) => ({
      ...{ id: data.id, state: data.state, isSettled: finishedOn !== undefined },
      ...{ finishedAt: data.finishedAt === null ? (finishedOn ?? 0) : Date.parse(data.finishedAt) },
      ...{ failed: data.progress.failed, retryOf: data.retryOf },
      collection: data.collection.name,
      sequence: wholeRecord(data).sequence,
    }));
  }

  /** As AcceptanceOrder has it; `isKnown` says of a job's id whether the queue or the spool has it. */
  async oldestSequence(
    collection: string,
    isKnown: (job: string) => boolean,
    abandoned: number,
  ): Promise<number | undefined> {
    const isWriter = (writer: string): boolean => isKnown(writer.slice(0, writer.indexOf(' ')));
    return this.#call(this.#order.oldest(collection, isWriter, abandoned));
  }

  /** Removes a finished job, as if it had never been. Errors: `job_not_found`, `job_not_finished`. */
  async forget(id: JobId): Promise<void> {
    const job = await this.#find(id);
    if (job === undefined) throw new EmbedmillError('job_not_found', `there is no job ${id}`);
    if (!isFinished(job.data.state) || job.finishedOn === undefined) {
      const message = `job ${id} is ${job.data.state}; it can be forgotten once it has finished: cancel it first`;
      throw new EmbedmillError('job_not_finished', message, { retryAfter: 2 });
    }
    await this.remove(id);
  }

  /** Removes a finished job, whose usage is kept; one that is not there is fine. */
  async remove(id: JobId): Promise<void> {
    const job = await this.#find(id);
    await this.#keepUsage(id);
    await this.#call(this.#ingest.remove(id));
    if (job !== undefined) {
      const { collection } = job.data;
      await this.#call(this.#order.forget(collection.name, submissionKey(job.data)));
    }
    await this.#call(this.#broker.delete(cancelKey(id)));
    await this.#call(this.#broker.delete(priorityKey(id)));
  }

  /**
   * What was used on the days from one to another (UTC, both included), jobs that are under way included. Jobs that are
   * known have their own; that of those that were removed is kept in the broker's counts, with that of queries.
   */
  async usage(from: string, to: string): Promise<UsageEntry[]> {
    const days: string[] = [];
    for (let day = from; day <= to; day = dayOf(Date.parse(day) + DAY_MS)) days.push(day);
    const sum = new UsageSum();
    // In this order a job that is removed meanwhile may be missed for once, and is never counted twice.
    const [counts, jobs] = [
      await this.#call(this.#broker.readCounts(days.map(usageCounts))),
      await this.#all(),
    ];
    for (const [n, day] of days.entries()) sum.addCounts(day, counts[n] ?? {});
    for (const { data } of jobs) {
      for (const [day, amounts] of Object.entries(data.usage ?? {}))
        if (day >= from && day <= to) sum.add(usageOwner(data), day, amounts);
    }
    return sum.entries;
  }

  /** What accepted jobs have left to do, as usage of today: estimates. */
  async workAhead(): Promise<UsageEntry[]> {
    const sum = new UsageSum();
    const day = dayOf(Date.now());
    for (const { data } of await this.#all()) {
      const { documents, tokens } = workLeft(data);
      const unscanned = data.source.kind === 'inline' && data.progress.documents === 0;
      const lines = unscanned && data.source.kind === 'inline' ? data.source.lines.length : 0;
      if (tokens > 0) sum.add(usageOwner(data), day, { documents: documents + lines, tokens, engineMs: 0 });
    }
    return sum.entries;
  }

  /** Counts usage that is no job's. */
  async countUsage(entries: readonly UsageEntry[]): Promise<void> {
    const added = entries.flatMap((entry) => countsOf(entry, { [entry.day]: amountsOf(entry) }));
    await this.#call(this.#broker.addCounts(added, this.#usageSeconds));
  }

  /** Whether this process is the first of all on this queue to ask for this turn within so many seconds. */
  async takeTurn(name: string, seconds: number): Promise<boolean> {
    return this.#call(this.#broker.setIfAbsent(turnKey(name), String(process.pid), seconds));
  }

  /** Ends a turn that this process has. */
  async endTurn(name: string): Promise<void> {
    await this.#call(this.#broker.delete(turnKey(name)));
  }

  /** Asks the dispatcher to end the job. Errors: `job_not_found`, `job_finished`. */
  async cancel(id: JobId): Promise<Job> {
    const job = await this.#unfinished(id, 'there is nothing to cancel');
    await this.#call(this.#broker.set(cancelKey(id), '1', ASKED_SECONDS));
    return job;
  }

  /** Asks the dispatcher to give the job another priority, from its next turn on. Errors: `job_not_found`, `job_finished`. */
  async prioritize(id: JobId, priority: Priority): Promise<Job> {
    const job = await this.#unfinished(id, 'nothing of it is left to be done sooner or later');
    await this.#call(this.#broker.set(priorityKey(id), priority, ASKED_SECONDS));
    return { ...job, priority };
  }

  /**
   * Has a model do something at once, ahead of all bulk work. Errors: `no_worker`, at once where no worker has the model
   * or will have it, else when none answers in time; `client_gone`; and what the worker itself says.
   */
  async query<Task extends QueryTask>(
    query: QueryOf<Task>,
    options: QueryOptions,
  ): Promise<QueryResult<Task>> {
    const { model } = query;
    const { timeoutMs, signal, mayBringIn = true } = options;
    const [trouble, serving] = await Promise.all([
      this.#troubleOf(model),
      this.#call(this.#serving.of(model)),
    ]);
    if (serving === 'none') throw servedByNone(model);
    if (serving === 'any') {
      const isInUse = async () => (await this.#call(this.#broker.members(MODELS))).includes(model);
      if (!mayBringIn && !(await isInUse())) throw notInUse(model);
      await this.announceModel(model);
    }
    if (trouble === null) return this.#queries.ask(query, { timeoutMs, signal });
    // Another worker may have the model all the same, but then it answers soon.
    return this.#queries
      .ask(query, { timeoutMs: Math.min(TROUBLED_QUERY_MS, timeoutMs), signal })
      .catch((error: unknown) => {
        if (!(error instanceof EmbedmillError) || error.code !== 'no_worker') throw error;
        throw new EmbedmillError('model_unavailable', trouble.message, { cause: error, retryAfter: 30 });
      });
  }

  /** Makes workers that follow the models in use serve this one too. */
  async announceModel(model: string): Promise<void> {
    await this.#call(this.#broker.addMember(MODELS, model));
  }

  async depth(): Promise<QueueDepth> {
    const jobs = await this.#call(this.#ingest.getJobCounts(...WAITING, 'active'));
    const depth: QueueDepth = {
      ...{ waiting: 0, active: 0, oldestSeconds: 0 },
      jobs: { waiting: waitingOf(jobs), active: jobs['active'] ?? 0 },
    };
    for (const model of await this.#call(this.#broker.members(MODELS))) {
      const queue = this.#queues.get(shardQueue(model));
      const counts = await this.#call(queue.getJobCounts(...WAITING, 'active'));
      depth.waiting += waitingOf(counts);
      depth.active += counts['active'] ?? 0;
      const [oldest] = await this.#call(queue.getJobs([...UNCLAIMED], 0, 0, true));
      if (oldest !== undefined) {
        depth.oldestSeconds = Math.max(depth.oldestSeconds, (Date.now() - oldest.timestamp) / 1000);
      }
    }
    return depth;
  }

  /**
   * Work not settled, by model; a bounded number of calls, whatever is queued. Of the jobs in dispatchers' hands, and
   * of those that wait, the first ones are looked at, and stand for the others.
   */
  async backlog(): Promise<Backlog> {
    const [models, told, counts, paused, active, waiting] = await Promise.all([
      this.#call(this.#broker.members(MODELS)),
      this.#call(this.#broker.members(TOLD_MODELS)),
      this.#call(this.#ingest.getJobCounts(...WAITING, 'active')),
      this.isPaused(),
      this.#call(this.#ingest.getJobs(['active'], 0, SAMPLED_JOBS - 1)),
      this.#call(this.#ingest.getJobs([...WAITING], 0, SAMPLED_JOBS - 1, true)),
    ]);
    const sample = (jobs: BullJob<IngestRecord>[], all: number): SampledJob[] => {
      const records = jobs.slice(0, SAMPLED_JOBS).flatMap((job) => job?.data ?? []);
      const weight = Math.max(1, all / Math.max(1, records.length));
      return records.map((record) => ({ record, weight }));
    };
    const queries = await Promise.all(
      [...new Set([...models, ...told])].map(
        async (model) => [model, await this.#waitingQueries(model)] as const,
      ),
    );
    return backlogOf(
      [...sample(active, counts['active'] ?? 0), ...sample(waiting, waitingOf(counts))],
      new Map(queries),
      paused,
    );
  }

  /**
   * Stops all bulk work: workers and dispatchers take nothing new, and finish what they have in hand. Lasts until
   * `resume`, over restarts of everything. Queries go on.
   */
  async pause(): Promise<void> {
    // The jobs first: no dispatcher takes one of a model that is announced from here on.
    await this.#call(this.#ingest.pause());
    for (const queue of await this.#shardQueues()) await this.#call(queue.pause());
  }

  async resume(): Promise<void> {
    for (const queue of await this.#shardQueues()) await this.#call(queue.resume());
    await this.#call(this.#ingest.resume());
  }

  async isPaused(): Promise<boolean> {
    return this.#call(this.#ingest.isPaused());
  }

  /** How full Redis is, and whether it may drop jobs when it is; undefined where the queue is not in memory. */
  async memory(): Promise<QueueMemory | undefined> {
    return this.#call(this.#broker.memory());
  }

  async ping(): Promise<void> {
    await this.#call(this.#broker.ping());
  }

  async close(): Promise<void> {
    await this.#queries.close();
    await this.#broker.close();
  }

  /** The next sequence, or that of the job which this one repeats. */
  async #accept({ collection, sequence }: NewJob, writer: string): Promise<number> {
    if (sequence === undefined) return this.#call(this.#order.take(collection.name, writer));
    await this.#call(this.#order.join(collection.name, writer, sequence));
    return sequence;
  }

  /** Why workers cannot load a model, where they said so lately. */
  async #troubleOf(model: string): Promise<z.infer<typeof troubleSchema> | null> {
    const trouble = await this.#call(this.#broker.get(troubleKey(model)));
    return trouble === null ? null : troubleSchema.parse(JSON.parse(trouble));
  }

  async #shardQueues(): Promise<BullQueue[]> {
    const models = await this.#call(this.#broker.members(MODELS));
    return models.map((model) => this.#queues.get(shardQueue(model)));
  }

  /** Queries of a model that no worker has taken and somebody may still wait for. */
  async #waitingQueries(model: string): Promise<number> {
    const queue = this.#queues.get(queryQueue(model));
    const [waiting, [newest]] = await Promise.all([
      this.#call(queue.getJobCountByTypes('waiting')),
      this.#call(queue.getJobs(['waiting'], 0, 0, false)),
    ]);
    return newest !== undefined && Date.now() - newest.timestamp < QUERY_WAKES_MS ? waiting : 0;
  }

  /** Moves a job's usage to the broker's counts, once whatever dies in between. */
  async #keepUsage(id: JobId): Promise<void> {
    const change = (data: unknown) => {
      const record = data as IngestRecord;
      const added = countsOf(usageOwner(record), record.usage ?? {});
      return added.length === 0 ? undefined : { data: { ...record, usage: {} }, added };
    };
    await this.#call(this.#broker.changeAndCount(INGEST_QUEUE, id, change, this.#usageSeconds));
  }

  async #unfinished(id: JobId, otherwise: string): Promise<Job> {
    const job = await this.getJob(id);
    if (job === undefined) throw new EmbedmillError('job_not_found', `there is no job ${id}`);
    if (!isFinished(job.state)) return job;
    throw new EmbedmillError('job_finished', `job ${id} is ${job.state} already; ${otherwise}`);
  }

  async #find(id: JobId): Promise<BullJob<IngestRecord> | undefined> {
    return this.#call(this.#ingest.getJob(id));
  }

  async #all(): Promise<BullJob<IngestRecord>[]> {
    const states = ['active', ...WAITING, 'completed', 'failed'] as const;
    const found = await this.#call(this.#ingest.getJobs([...states], 0, -1));
    return found.filter((job): job is BullJob<IngestRecord> => job?.data !== undefined);
  }

  async #call<T>(promise: Promise<T>): Promise<T> {
    return within(promise, DEADLINE_MS).catch((error: unknown) => {
      throw refusedForNow(error) ?? queueUnavailable(error);
    });
  }
}

/** Connects a producer. Usage is kept for so many days after it was added to last. Errors: `queue_unavailable`, `queue_may_evict`, `invalid_config`. */
export async function connectQueue(options: QueueOptions, usageDays = USAGE_DAYS): Promise<Queue> {
  const broker = await openBroker(options);
  try {
    return new Queue(broker, await QueryClient.open(options), usageDays);
  } catch (error) {
    await broker.close();
    throw error;
  }
}

function sameJob(existing: BullJob<IngestRecord>, wanted: NewJob): Job {
  const { data } = existing;
  const isSame =
    data.digest === wanted.digest &&
    data.collection.name === wanted.collection.name &&
    data.tenant === wanted.tenant;
  if (!isSame) {
    throw new EmbedmillError(
      'idempotency_conflict',
      `this Idempotency-Key already stands for job ${data.id}, which had another body; use a new key`,
    );
  }
  return viewOf(data, existing.timestamp);
}

function waitingOf(counts: Record<string, number>): number {
  return WAITING.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}
