import type { Job as BullJob, Queue as BullQueue } from 'bullmq';
import { backlogOf, QUERY_WAKES_MS, type Backlog, type SampledJob } from './backlog.ts';
import type { Broker } from './broker.ts';
import { UNCLAIMED, type BullQueues } from './bull-queues.ts';
import { answered } from './connection.ts';
import type { IngestRecord } from './ingest-record.ts';
import { WAITING, waitingOf } from './job-list.ts';
import { INGEST_QUEUE, MODELS, queryQueue, shardQueue, TOLD_MODELS } from './names.ts';

/** The maximum number of records read for the backlog, each for waiting and for active jobs. */
const SAMPLED_JOBS = 200;

export interface ModelDepth {
  model: string;
  /** Shards that no worker has claimed yet, including those that wait for a retry. */
  waiting: number;
  active: number;
  /** The age of the oldest waiting shard, in seconds. */
  oldestSeconds: number;
}

export interface QueueDepth {
  /** The shards of all models, and the age of the oldest one in seconds. */
  waiting: number;
  active: number;
  oldestSeconds: number;
  /** By model, for each model that ever had any. */
  models: ModelDepth[];
  /** Unfinished jobs: those waiting for a dispatcher, and those that one is processing. */
  jobs: { waiting: number; active: number };
}

/** The depth of the queue: shards and queries of all models, and jobs. */
export class DepthGauge {
  readonly #broker: Broker;
  readonly #queues: BullQueues;
  readonly #ingest: BullQueue<IngestRecord>;

  constructor(broker: Broker) {
    this.#broker = broker;
    this.#queues = broker.queues;
    this.#ingest = broker.queues.get(INGEST_QUEUE);
  }

  async depth(): Promise<QueueDepth> {
    const jobs = await answered(this.#ingest.getJobCounts(...WAITING, 'active'));
    const models = await Promise.all(
      (await answered(this.#broker.members(MODELS))).map((model) => this.#depthOf(model)),
    );
    return {
      waiting: models.reduce((sum, { waiting }) => sum + waiting, 0),
      active: models.reduce((sum, { active }) => sum + active, 0),
      oldestSeconds: Math.max(0, ...models.map(({ oldestSeconds }) => oldestSeconds)),
      models,
      jobs: { waiting: waitingOf(jobs), active: jobs['active'] ?? 0 },
    };
  }

  async #depthOf(model: string): Promise<ModelDepth> {
    const queue = this.#queues.get(shardQueue(model));
    const counts = await answered(queue.getJobCounts(...WAITING, 'active'));
    const [oldest] = await answered(queue.getJobs([...UNCLAIMED], 0, 0, true));
    return {
      model,
      waiting: waitingOf(counts),
      active: counts['active'] ?? 0,
      oldestSeconds: oldest === undefined ? 0 : (Date.now() - oldest.timestamp) / 1000,
    };
  }

  /**
   * The unsettled work by model, from a bounded number of calls. Only the first active and the first waiting jobs are
   * read; they stand for the others.
   */
  async backlog(): Promise<Backlog> {
    const [models, told, counts, paused, active, waiting] = await Promise.all([
      answered(this.#broker.members(MODELS)),
      answered(this.#broker.members(TOLD_MODELS)),
      answered(this.#ingest.getJobCounts(...WAITING, 'active')),
      answered(this.#ingest.isPaused()),
      answered(this.#ingest.getJobs(['active'], 0, SAMPLED_JOBS - 1)),
      answered(this.#ingest.getJobs([...WAITING], 0, SAMPLED_JOBS - 1, true)),
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

  /** A model's queries that no worker has taken and that somebody may still be waiting for. */
  async #waitingQueries(model: string): Promise<number> {
    const queue = this.#queues.get(queryQueue(model));
    const [waiting, [newest]] = await Promise.all([
      answered(queue.getJobCountByTypes('waiting')),
      answered(queue.getJobs(['waiting'], 0, 0, false)),
    ]);
    return newest !== undefined && Date.now() - newest.timestamp < QUERY_WAKES_MS ? waiting : 0;
  }
}
