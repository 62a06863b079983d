import { z } from 'zod';
import { NO_COUNTS, type ShardResult } from './shard.ts';
import { outputFormatSchema } from './sink.ts';
import { jobModeSchema } from './snapshot.ts';

/**
 * queued → scanning (its lines are counted and divided into shards) → running → completed | cancelled | failed.
 * `completed` means that every document was settled; some may have failed.
 */
export const jobStateSchema = z.enum(['queued', 'scanning', 'running', 'completed', 'cancelled', 'failed']);
export type JobState = z.infer<typeof jobStateSchema>;

/** The order among the jobs of a tenant; it does not affect the shares of tenants. */
export const PRIORITIES = ['urgent', 'normal', 'background'] as const;
export const prioritySchema = z.enum(PRIORITIES);
export type Priority = z.infer<typeof prioritySchema>;

const count = (description: string) => z.int().nonnegative().meta({ description });

/** What a job has done so far. stored + skipped + deleted + failed + duplicates + superseded = done; done = documents at the end. */
export const progressSchema = z.strictObject({
  documents: count(
    'Documents submitted; 0 until the source, or the first section of a large one, has been scanned.',
  ),
  done: count('Documents that are settled, whatever their outcome.'),
  stored: count(
    'Documents whose vectors the store acknowledged; for a job that writes a file, the documents in it.',
  ),
  skipped: count('Documents that the store already had unchanged.'),
  failed: count(
    'Documents that failed; the job’s failures list them, or the first of them if there are many.',
  ),
  duplicates: count('Documents replaced by a later document of the same job with the same id.'),
  superseded: count('Documents superseded by a later submission or deletion; nothing was stored.').default(0),
  deleted: count(
    'Documents that were submitted as deleted and no longer exist, including ids that never existed.',
  ).default(0),
  added: count(
    'For a dry run: the part of `stored` that does not exist yet; the others would be replaced.',
  ).default(0),
  gone: count(
    'Documents of the source that were deleted because the snapshot lacks them; they are not counted in `documents`.',
  ).default(0),
  truncated: count('Documents that were embedded only in part.'),
  chunks: count('Points written.'),
  reused: count(
    'Points whose dense vector was reused from the store because its input has not changed.',
  ).default(0),
  tokens: count('Tokens run through the model, including special tokens but not padding.'),
  shards: count(
    'Shards of the job; 0 until the source, or the first section of a large one, has been scanned.',
  ),
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
  collection: z.string().meta({ description: 'Empty if the vectors are only written to a file.' }),
  sequence: z.int().nonnegative().meta({
    description:
      'The job’s place in the order of acceptance: of two submissions of a document, the one with the greater number wins. A retry has the number of the job that it repeats.',
  }),
  state: jobStateSchema,
  scanned: z.boolean().meta({
    description:
      'Whether the whole source has been scanned. Until then there are at least as many documents and shards as shown.',
  }),
  source: z.string().meta({
    description: 'Where the documents came from: `upload`, `inline`, `collection`, a path or a URL.',
  }),
  mode: jobModeSchema,
  dryRun: z.boolean().meta({
    description:
      'Whether nothing is written: the counts show what would happen, and the output lists the documents.',
  }),
  sourceName: z.string().nullable().meta({ description: 'The `source` of documents that do not name one.' }),
  priority: prioritySchema.meta({
    description:
      'The job’s priority among the jobs of its tenant. It does not affect other tenants’ share of the queue.',
  }),
  tenant: z
    .string()
    .optional()
    .meta({ description: 'The tenant of the documents, if a key bound to a tenant submitted the job.' }),
  retryOf: z.string().nullable().meta({ description: 'The job whose failures this job retries.' }),
  error: z
    .strictObject({ code: z.string(), message: z.string() })
    .nullable()
    .meta({ description: 'Why the whole job failed, if it did.' }),
  webhook: z.string().nullable().meta({
    description: 'The receiver that hears of the job’s end; see `/api/v1/jobs/{id}/webhook-deliveries`.',
  }),
  output: z
    .strictObject({ format: outputFormatSchema, bytes: z.int().nonnegative(), to: z.string().nullable() })
    .nullable()
    .meta({
      description:
        'For a completed job that writes a file: the file at `/api/v1/jobs/{id}/output`, or the place where it was written.',
    }),
  paused: z.boolean().meta({ description: 'Whether it is unfinished and the queue is paused.' }),
  waitingFor: z
    .strictObject({ code: z.string(), message: z.string() })
    .nullable()
    .meta({ description: 'What blocks an unfinished job, such as a model that cannot be downloaded.' }),
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().nullable(),
  finishedAt: z.iso.datetime().nullable(),
  seconds: z.number().meta({ description: 'Seconds from the start until the end of the job, or until now.' }),
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
