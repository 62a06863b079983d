import { randomUUID } from 'node:crypto';
import type { Job as BullJob, Queue as BullQueue } from 'bullmq';
import {
  EmbedmillError,
  isFinished,
  type Job,
  type JobId,
  type JobLogLine,
  type JobNote,
  prioritySchema,
  type Priority,
  type QueryOf,
  type QueryResult,
  type QueryTask,
} from '@embedmill/jobs';
import { AcceptanceOrder } from './acceptance-order.ts';
import type { Backlog } from './backlog.ts';
import type { Broker } from './broker.ts';
import type { BullQueues } from './bull-queues.ts';
import { answered, type QueueOptions } from './connection.ts';
import type { QueueMemory } from './memory.ts';
import { newRecord, submissionKey, wholeRecord, type IngestRecord, type NewJob } from './ingest-record.ts';
import { viewOf } from './job-view.ts';
import { cancelKey, INGEST_QUEUE, MODELS, priorityKey, shardQueue, turnKey } from './names.ts';
import type { UsageEntry } from './usage.ts';
import { list, unlist } from './job-index.ts';
import { JobList, type JobPage, type JobSelection, type RetainedJob } from './job-list.ts';
import { JobLog } from './job-log.ts';
import { JobUsage } from './job-usage.ts';
import { KeptKeys } from './kept-keys.ts';
import { ModelQueries, type QueryOptions } from './model-queries.ts';
import { openBroker } from './open-broker.ts';
import { DepthGauge, type QueueDepth } from './queue-depth.ts';
import { QueryClient } from './query-client.ts';
import { sameJob } from './same-job.ts';
import type { Serving } from './serving.ts';
import { SettledRates, type Settled, type SettledSlot } from './settled-rates.ts';
import { WorkerLook, type Workers } from './worker-notes.ts';

/** By then, a request to a job has been carried out, or the job has ended. */
const ASKED_SECONDS = 14 * 24 * 3600;
/** How long usage is kept by default. */
const USAGE_DAYS = 400;

/**
 * The producer's side of the queue: it accepts jobs, returns their state, and sends queries through the interactive lane.
 *
 * It holds connections from `connectQueue` until `close`. While the broker is unavailable, calls fail with
 * `queue_unavailable` within seconds. Used only by the API.
 */
export class Queue {
  /** Keys that administrators created at run time. */
  readonly apiKeys: KeptKeys;
  readonly #broker: Broker;
  readonly #ingest: BullQueue<IngestRecord>;
  readonly #queues: BullQueues;
  readonly #models: ModelQueries;
  readonly #order: AcceptanceOrder;
  readonly #usage: JobUsage;
  readonly #depth: DepthGauge;
  /** Identifies this process in turns. */
  readonly #self = `${process.pid} ${randomUUID()}`;
  readonly #list: JobList;
  readonly #log: JobLog;
  readonly #workers: WorkerLook;
  readonly #rates: SettledRates;

  constructor(broker: Broker, queries: QueryClient, usageDays: number) {
    this.#list = new JobList(broker);
    this.#log = new JobLog(broker);
    this.#usage = new JobUsage(broker, this.#list, usageDays * 24 * 3600);
    this.#depth = new DepthGauge(broker);
    this.#workers = new WorkerLook(broker);
    this.#rates = new SettledRates(broker);
    this.#broker = broker;
    this.apiKeys = new KeptKeys(broker);
    this.#queues = broker.queues;
    this.#ingest = this.#queues.get(INGEST_QUEUE);
    this.#models = new ModelQueries(broker, queries);
    this.#order = new AcceptanceOrder(broker);
  }

  /**
   * Queues a job, as the last one in the order of acceptance unless it repeats another. A known id returns the existing
   * job, or throws `idempotency_conflict` if the two differ in collection, tenant or digest. `keep` is called with a
   * new job's record before the queue has it: if `queue_unavailable` is thrown afterwards, it is unknown whether the
   * queue has the job.
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
    const withdraw = () => answered(this.#order.leave(job.collection.name, writer, undefined, job.sections));
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

  /** Runs a write without a job, such as a deletion, at its place in the order of acceptance. */
  async inOrder<T>(collection: string, write: (sequence: number) => Promise<T>): Promise<T> {
    const writer = `write ${randomUUID()}`;
    const sequence = await answered(this.#order.take(collection, writer));
    try {
      return await write(sequence);
    } finally {
      // If the queue is unavailable, leftovers are swept later.
      await answered(this.#order.leave(collection, writer)).catch(() => undefined);
    }
  }

  /** Queues a job from its stored record; does nothing if the queue has it. */
  async restore(record: IngestRecord): Promise<void> {
    const { collection, sequence, sections } = record;
    await answered(this.#order.join(collection.name, submissionKey(record), sequence, sections));
    await this.#add(record);
  }

  async #add(record: IngestRecord): Promise<BullJob<IngestRecord>> {
    await this.announceModel(record.collection.profile.model);
    const timestamp = Date.now();
    // Before the job is added, because others may look for it from then on.
    await answered(list(this.#broker, record, timestamp));
    const added = await answered(
      this.#ingest.add('ingest', record, {
        jobId: record.id,
        timestamp,
        attempts: 1_000_000,
        backoff: { type: 'fixed', delay: 2000 },
        stackTraceLimit: 1,
      }),
    );
    return (await this.#find(record.id)) ?? added;
  }

  /** Calls back whenever the queue is available again, possibly with less data than before. */
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
      this.#models.troubleOf(data.collection.profile.model),
      answered(this.#broker.get(priorityKey(id))),
    ]);
    const priority = prioritySchema.safeParse(asked).data ?? data.priority;
    return viewOf({ ...data, priority }, timestamp, { paused, trouble });
  }

  /** A job's submission, for a retry. */
  async getSubmission(id: JobId): Promise<IngestRecord | undefined> {
    const found = await this.#find(id);
    return found && wholeRecord(found.data);
  }

  /** The last lines of a job's log, oldest first. */
  jobLog(id: JobId): Promise<JobLogLine[]> {
    return this.#log.read(id);
  }

  /** Adds a line to a job’s log without waiting. */
  noteJob(id: JobId, note: JobNote): void {
    this.#log.note(id, note);
  }

  /** A page of jobs, newest first. */
  listJobs(selection: JobSelection): Promise<JobPage> {
    return this.#list.page(selection);
  }

  /** The jobs of a collection that have not ended, in no order. */
  unfinishedJobs(collection: string): Promise<Job[]> {
    return this.#list.unfinished(collection);
  }

  /** All jobs, in no order; adds what is missing to the lists from which pages are read. */
  retainedJobs(): Promise<RetainedJob[]> {
    return this.#list.retained();
  }

  /** As in AcceptanceOrder; `isKnown` returns whether the queue or the spool has a job's id. */
  async oldestSequence(
    collection: string,
    isKnown: (job: string) => boolean,
    abandoned: number,
  ): Promise<number | undefined> {
    const isWriter = (writer: string): boolean => isKnown(writer.slice(0, writer.indexOf(' ')));
    return answered(this.#order.oldest(collection, isWriter, abandoned));
  }

  /** Removes a finished job, as if it had never been. Errors: `job_not_found`, `job_not_finished`. */
  async forget(id: JobId): Promise<void> {
    const job = await this.#find(id);
    if (job === undefined) throw new EmbedmillError('job_not_found', `there is no job ${id}`);
    if (!isFinished(job.data.state) || job.finishedOn === undefined) {
      const message = `job ${id} is ${job.data.state}; only finished jobs can be forgotten: cancel it first`;
      throw new EmbedmillError('job_not_finished', message, { retryAfter: 2 });
    }
    await this.remove(id);
  }

  /** Removes a finished job and keeps its usage; does nothing if the job does not exist. */
  async remove(id: JobId): Promise<void> {
    const job = await this.#find(id);
    await this.#usage.keep(id);
    await answered(this.#ingest.remove(id));
    if (job !== undefined) {
      const { collection, sections } = job.data;
      await answered(unlist(this.#broker, job.data, job.timestamp));
      await answered(this.#order.forget(collection.name, submissionKey(job.data), sections));
    }
    await answered(this.#broker.delete(cancelKey(id)));
    await answered(this.#broker.delete(priorityKey(id)));
  }

  /**
   * The usage in a range of days (UTC, inclusive), including running jobs. Known jobs have their own records; the usage
   * of removed jobs and of queries is in the broker's counts.
   */
  usage(from: string, to: string): Promise<UsageEntry[]> {
    return this.#usage.between(from, to);
  }

  /** The estimated remaining work of accepted jobs, as usage of today. */
  workAhead(): Promise<UsageEntry[]> {
    return this.#usage.ahead();
  }

  /** Counts usage that does not belong to a job. */
  countUsage(entries: readonly UsageEntry[]): Promise<void> {
    return this.#usage.count(entries);
  }

  /** Whether this process is the first on this queue to request this turn within this many seconds. */
  async takeTurn(name: string, seconds: number): Promise<boolean> {
    return answered(this.#broker.setIfAbsent(turnKey(name), this.#self, seconds));
  }

  /** Extends this process's turn by this many seconds; returns whether it still had the turn. */
  async keepTurn(name: string, seconds: number): Promise<boolean> {
    return answered(this.#broker.swap(turnKey(name), this.#self, this.#self, seconds));
  }

  /** Ends a turn if this process still has it. */
  async endTurn(name: string): Promise<void> {
    const key = turnKey(name);
    if ((await answered(this.#broker.get(key))) === this.#self) await answered(this.#broker.delete(key));
  }

  /** Asks the dispatcher to end the job. Errors: `job_not_found`, `job_finished`. */
  async cancel(id: JobId): Promise<Job> {
    const job = await this.#unfinished(id, 'there is nothing to cancel');
    await answered(this.#broker.set(cancelKey(id), '1', ASKED_SECONDS));
    return job;
  }

  /** Asks the dispatcher to give the job another priority, from its next turn on. Errors: `job_not_found`, `job_finished`. */
  async prioritize(id: JobId, priority: Priority): Promise<Job> {
    const job = await this.#unfinished(id, 'its priority no longer matters');
    await answered(this.#broker.set(priorityKey(id), priority, ASKED_SECONDS));
    return { ...job, priority };
  }

  /**
   * Runs a task on a model ahead of all bulk work. Errors: `no_worker`, at once if no worker has or will load the
   * model, else if none answers in time; `model_unavailable` if workers report that they cannot load it; `client_gone`;
   * and the worker's own errors.
   */
  query<Task extends QueryTask>(query: QueryOf<Task>, options: QueryOptions): Promise<QueryResult<Task>> {
    return this.#models.query(query, options);
  }

  /** What workers report about a model. */
  servingOf(model: string): Promise<Serving> {
    return this.#models.servingOf(model);
  }

  /** Lets workers that serve the models in use serve this one too. */
  async announceModel(model: string): Promise<void> {
    await this.#models.announce(model);
  }

  /** Counts what dispatchers of this process settled just now, by tenant; '' stands for none. */
  countSettled(byTenant: ReadonlyMap<string, Settled>): Promise<void> {
    return this.#rates.add(byTenant, Date.now());
  }

  /** What was settled in the last hour, for one tenant or all. */
  settledLately(tenant?: string): Promise<SettledSlot[]> {
    return this.#rates.read(Date.now(), tenant);
  }

  /** The workers, as they report themselves. */
  workers(): Promise<Workers> {
    return this.#workers.workers();
  }

  depth(): Promise<QueueDepth> {
    return this.#depth.depth();
  }

  /**
   * The unsettled work by model, from a bounded number of calls. Only the first active and the first waiting jobs are
   * read; they stand for the others.
   */
  backlog(): Promise<Backlog> {
    return this.#depth.backlog();
  }

  /**
   * Pauses all bulk work: workers and dispatchers claim nothing new, and finish what they have. Lasts until `resume`,
   * across restarts. Queries continue.
   */
  async pause(): Promise<void> {
    // Pauses the jobs first, so that no dispatcher claims a job of a model that is announced from now on.
    await answered(this.#ingest.pause());
    for (const queue of await this.#shardQueues()) await answered(queue.pause());
  }

  async resume(): Promise<void> {
    for (const queue of await this.#shardQueues()) await answered(queue.resume());
    await answered(this.#ingest.resume());
  }

  async isPaused(): Promise<boolean> {
    return answered(this.#ingest.isPaused());
  }

  /** How full Redis is, and whether it may evict jobs; undefined if the queue is not in memory. */
  async memory(): Promise<QueueMemory | undefined> {
    return answered(this.#broker.memory());
  }

  async ping(): Promise<void> {
    await answered(this.#broker.ping());
  }

  async close(): Promise<void> {
    await this.#models.close();
    await this.#broker.close();
  }

  /** The next sequence, or the sequence of the job that this one repeats. */
  async #accept({ collection, sequence, sections }: NewJob, writer: string): Promise<number> {
    if (sequence === undefined) return answered(this.#order.take(collection.name, writer, sections));
    await answered(this.#order.join(collection.name, writer, sequence, sections));
    return sequence;
  }

  async #shardQueues(): Promise<BullQueue[]> {
    const models = await answered(this.#broker.members(MODELS));
    return models.map((model) => this.#queues.get(shardQueue(model)));
  }

  async #unfinished(id: JobId, otherwise: string): Promise<Job> {
    const job = await this.getJob(id);
    if (job === undefined) throw new EmbedmillError('job_not_found', `there is no job ${id}`);
    if (!isFinished(job.state)) return job;
    throw new EmbedmillError('job_finished', `job ${id} is ${job.state} already; ${otherwise}`);
  }

  async #find(id: JobId): Promise<BullJob<IngestRecord> | undefined> {
    return answered(this.#ingest.getJob(id));
  }
}

/** Connects a producer. Usage is kept for this many days after its last change. Errors: `queue_unavailable`, `queue_may_evict`, `invalid_config`. */
export async function connectQueue(options: QueueOptions, usageDays = USAGE_DAYS): Promise<Queue> {
  const broker = await openBroker(options);
  try {
    return new Queue(broker, await QueryClient.open(options), usageDays);
  } catch (error) {
    await broker.close();
    throw error;
  }
}
