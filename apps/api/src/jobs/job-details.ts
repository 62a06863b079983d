import { z } from 'zod';
import { addedUsage, isFinished, NO_USAGE, type Job, type WorkerNote } from '@embedmill/jobs';
import { servedByNone, type IngestRecord, type Serving } from '@embedmill/queue';

const count = z.int().nonnegative();

export const jobDetailsSchema = z
  .strictObject({
    waitsFor: z.strictObject({ code: z.string(), message: z.string() }).nullable().meta({
      description:
        'Why nothing of it is being worked on: `queue_paused`, `its_turn` (its source waits to be scanned), `room` (other jobs have the room on the queue), `no_worker`, `model_loading`, or why its model cannot be loaded. Null while it goes on, and when it has ended.',
    }),
    shards: z.strictObject({
      all: count,
      queued: count.meta({ description: 'On the queue or in workers’ hands.' }),
      settled: count,
    }),
    stages: z.array(z.strictObject({ stage: z.string(), seconds: z.number().nonnegative() })).meta({
      description:
        'How long its shards were in each stage of a worker’s walk, waiting for engines and the store included, summed up over shards: several are under way at the same time. Exports and migrations do not say.',
    }),
    usage: z.strictObject({
      documents: count,
      tokens: count,
      engineSeconds: z.number().nonnegative(),
      cost: z.number().nullable().meta({ description: 'By the prices in the settings; null without one.' }),
    }),
  })
  .meta({ id: 'JobDetails' });
export type JobDetails = z.infer<typeof jobDetailsSchema>;

/** What workers say of a model to a job. `queries`: those that serve it take no shards. */
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

/** What there is to know of a job beyond its progress. `serving` is what workers say of its model. */
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
        message: 'its source waits to be scanned: a few are at the same time, and shares take turns',
      };
    case 'scanning':
    case 'completed':
    case 'cancelled':
    case 'failed':
      return null;
    case 'running': {
      if (serving === 'none') return { code: 'no_worker', message: servedByNone(model).message };
      if (serving === 'queries') {
        const message = `those workers that serve ${model} answer queries alone; start one that takes shards (EMBEDMILL_WORKER_SHARDS)`;
        return { code: 'no_worker', message };
      }
      if (serving !== 'serving')
        return { code: 'model_loading', message: `a worker is loading ${model}, or is about to` };
      const isOut = cursor.index > progress.shardsDone;
      if (isOut || cursor.index >= progress.shards) return null;
      return { code: 'room', message: 'other jobs have the room on the queue; it gets some in its turn' };
    }
  }
}
