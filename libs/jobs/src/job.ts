import { z } from 'zod';
import { NO_COUNTS, type ShardResult } from './shard.ts';
import { outputFormatSchema } from './sink.ts';
import { jobModeSchema } from './snapshot.ts';

/**
 * queued → scanning (its lines are counted and cut into shards) → running → completed | cancelled | failed.
 * `completed` says that every document was settled; some of them may be among the failures.
 */
export const jobStateSchema = z.enum(['queued', 'scanning', 'running', 'completed', 'cancelled', 'failed']);
export type JobState = z.infer<typeof jobStateSchema>;

/** The order of a tenant's jobs among one another; tenants share alike, whatever theirs. */
export const PRIORITIES = ['urgent', 'normal', 'background'] as const;
export const prioritySchema = z.enum(PRIORITIES);
export type Priority = z.infer<typeof prioritySchema>;

const count = (description: string) => z.int().nonnegative().meta({ description });

/** What a job has done so far. stored + skipped + deleted + failed + duplicates + superseded = done; done = documents at the end. */
export const progressSchema = z.strictObject({
  documents: count('Documents submitted; 0 until the source has been scanned.'),
  done: count('Documents settled, one way or another.'),
  stored: count(
    'Documents whose vectors the store acknowledged; of a job that writes a file, those that are in it.',
  ),
  skipped: count('Documents that the store already had, unchanged.'),
  failed: count(
    'Documents that failed; the job’s failures name them, or the first of them where they are many.',
  ),
  duplicates: count('Documents that a later one of the same job with the same id replaced.'),
  superseded: count(
    'Documents that a later submission or deletion had decided already; nothing was stored.',
  ).default(0),
  deleted: count(
    'Documents that were submitted as deleted, and are not there any more; also where there was none.',
  ).default(0),
  added: count(
    'Of a dry run: those of `stored` that are not there yet; the others would be replaced.',
  ).default(0),
  gone: count(
    'Documents of the source that a snapshot did not have, deleted after it; they are not among `documents`.',
  ).default(0),
  truncated: count('Documents of which a part was not embedded.'),
  chunks: count('Points written.'),
  reused: count(
    'Points whose dense vector was taken from the store, as nothing that it is made of has changed.',
  ).default(0),
  tokens: count('Tokens run through the model, special tokens included, padding not.'),
  shards: count('Shards of the job; 0 until the source has been scanned.'),
  shardsDone: count('Shards settled.'),
});
export type Progress = z.infer<typeof progressSchema>;

export const NO_PROGRESS: Progress = { ...NO_COUNTS, done: 0, gone: 0, shards: 0, shardsDone: 0 };

/** Progress after one more shard has been settled. */
export function addResult(progress: Progress, result: ShardResult): Progress {
  return {
    ...progress,
    done: progress.done + result.documents,
    stored: progress.stored + result.stored,
    skipped: progress.skipped + result.skipped,
    failed: progress.failed + result.failed,
    duplicates: progress.duplicates + result.duplicates,
    superseded: progress.superseded + result.superseded,
    deleted: progress.deleted + result.deleted,
    added: progress.added + result.added,
    reused: progress.reused + result.reused,
    truncated: progress.truncated + result.truncated,
    chunks: progress.chunks + result.chunks,
    tokens: progress.tokens + result.tokens,
    shardsDone: progress.shardsDone + 1,
  };
}

/** A job as the API shows it. */
export const jobSchema = progressSchema.extend({
  id: z.string(),
  collection: z.string().meta({ description: 'Empty where the vectors go to a file alone.' }),
  sequence: z.int().nonnegative().meta({
    description:
      'Its place in the order of acceptance: of two submissions of a document the one with the greater number wins. A retry has that of the job it repeats.',
  }),
  state: jobStateSchema,
  source: z.string().meta({
    description: 'Where the documents came from: `upload`, `inline`, `collection`, a path or a URL.',
  }),
  mode: jobModeSchema,
  dryRun: z.boolean().meta({
    description:
      'Whether nothing is written: its counts say what would come of it, and its output names the documents.',
  }),
  sourceName: z
    .string()
    .nullable()
    .meta({ description: 'The `source` of documents that name none themselves.' }),
  priority: prioritySchema.meta({
    description:
      'Before which of its tenant’s jobs it comes. Tenants get the same room whatever the priorities of their jobs.',
  }),
  tenant: z
    .string()
    .optional()
    .meta({ description: 'The tenant whose documents they are, where a key bound to one submitted it.' }),
  retryOf: z.string().nullable().meta({ description: 'The job whose failures this one tries again.' }),
  error: z
    .strictObject({ code: z.string(), message: z.string() })
    .nullable()
    .meta({ description: 'Why the whole job failed, when it did.' }),
  webhook: z
    .string()
    .nullable()
    .meta({ description: 'Whom its end is told, see `/api/v1/jobs/{id}/webhook-deliveries`.' }),
  output: z
    .strictObject({ format: outputFormatSchema, bytes: z.int().nonnegative(), to: z.string().nullable() })
    .nullable()
    .meta({
      description:
        'Of a job that writes a file and is complete: the file, at `/api/v1/jobs/{id}/output`, or where it was written to.',
    }),
  paused: z.boolean().meta({ description: 'Whether it is unfinished and the queue is paused.' }),
  waitingFor: z
    .strictObject({ code: z.string(), message: z.string() })
    .nullable()
    .meta({ description: 'What keeps an unfinished job from going on, such as a model that cannot be had.' }),
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().nullable(),
  finishedAt: z.iso.datetime().nullable(),
  seconds: z.number().meta({ description: 'Seconds since it started, until it finished.' }),
});
export type Job = z.infer<typeof jobSchema>;

/** A state that a job does not leave. */
export type FinishedState = Extract<JobState, 'completed' | 'cancelled' | 'failed'>;

export function isFinished(state: JobState): state is FinishedState {
  switch (state) {
    case 'queued':
    case 'scanning':
    case 'running':
      return false;
    case 'completed':
    case 'cancelled':
    case 'failed':
      return true;
  }
}
