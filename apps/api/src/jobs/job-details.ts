import { z } from 'zod';
import { addedUsage, isFinished, NO_USAGE, type Job, type WorkerNote } from '@embedmill/jobs';
import { servedByNone, type IngestRecord, type Serving } from '@embedmill/queue';

const count = z.int().nonnegative();

export const jobDetailsSchema = z
  .strictObject({
    waitsFor: z.strictObject({ code: z.string(), message: z.string() }).nullable().meta({
      description:
        'Why the job makes no progress: `queue_paused`, `its_turn` (its source waits to be scanned), `room` (other jobs fill the queue), `no_worker`, `model_loading`, or why its model cannot be loaded. Null while it progresses and once it has ended.',
    }),
    shards: z.strictObject({
      all: count,
      queued: count.meta({ description: 'Shards on the queue or being processed by workers.' }),
      settled: count,
    }),
    stages: z.array(z.strictObject({ stage: z.string(), seconds: z.number().nonnegative() })).meta({
      description:
        'The time that its shards spent in each stage of the worker’s pipeline, including waits for engines and the store. It is summed over shards, several of which run at the same time. Exports and migrations do not report it.',
    }),
    usage: z.strictObject({
      documents: count,
      tokens: count,
      engineSeconds: z.number().nonnegative(),
      cost: z
        .number()
        .nullable()
        .meta({ description: 'The cost by the configured prices; null without a price.' }),
    }),
  })
  .meta({ id: 'JobDetails' });
export type JobDetails = z.infer<typeof jobDetailsSchema>;

/** How workers serve a job's model. `queries`: the workers that serve it take no shards. */
export type ServingShards = Serving | 'queries';

export function servingShards(
  model: string,
  serving: Serving,
  workers: readonly Pick<WorkerNote, 'models' | 'mostShards'>[],
): ServingShards {
  const having = workers.filter(({ models }) =>
    models.some((one) => one.model === model && one.state === 'serving'),
  );
  const isForQueries = having.length > 0 && having.every(({ mostShards }) => mostShards === 0);
  return serving === 'serving' && isForQueries ? 'queries' : serving;
}

/** What is known of a job beyond its progress. `serving`: how workers serve its model. */
export function jobDetailsOf(
  job: Pick<Job, 'state' | 'waitingFor'>,
  record: IngestRecord,
  serving: ServingShards,
  prices: ReadonlyMap<string, number>,
): JobDetails {
  const { progress, cursor, stageMs = {}, usage = {}, collection } = record;
  const used = Object.values(usage).reduce(addedUsage, NO_USAGE);
  const price = prices.get(collection.profile.model);
  const isOver = isFinished(job.state);
  return {
    waitsFor: isOver ? null : (job.waitingFor ?? waitOf(record, serving)),
    shards: {
      all: progress.shards,
      queued: isOver ? 0 : Math.max(0, cursor.index - progress.shardsDone),
      settled: progress.shardsDone,
    },
    stages: Object.entries(stageMs).map(([stage, ms]) => ({ stage, seconds: ms / 1000 })),
    usage: {
      documents: used.documents,
      tokens: used.tokens,
      engineSeconds: used.engineMs / 1000,
      cost: price === undefined ? null : (used.tokens / 1e6) * price,
    },
  };
}

function waitOf(
  { state, progress, cursor, collection }: IngestRecord,
  serving: ServingShards,
): JobDetails['waitsFor'] {
  const { model } = collection.profile;
  switch (state) {
    case 'queued':
      return {
        code: 'its_turn',
        message: 'its source waits to be scanned: only a few are scanned at a time, and tenants take turns',
      };
    case 'scanning':
    case 'completed':
    case 'cancelled':
    case 'failed':
      return null;
    case 'running': {
      if (serving === 'none') return { code: 'no_worker', message: servedByNone(model).message };
      if (serving === 'queries') {
        const message = `the workers that serve ${model} only answer queries; start one that takes shards (EMBEDMILL_WORKER_SHARDS)`;
        return { code: 'no_worker', message };
      }
      if (serving !== 'serving')
        return { code: 'model_loading', message: `a worker is loading ${model}, or is about to` };
      const isOut = cursor.index > progress.shardsDone;
      if (isOut || cursor.index >= progress.shards) return null;
      return { code: 'room', message: 'other jobs fill the queue; this job gets room when its turn comes' };
    }
  }
}
