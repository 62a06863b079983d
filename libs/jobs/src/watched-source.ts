import { z } from 'zod';
import { maxFailuresSchema } from './max-failures.ts';
import { prioritySchema } from './job.ts';
import { jobModeSchema, maxDeletedSchema } from './snapshot.ts';
import { readingSchema, sourceFormatSchema } from './source-format.ts';

/** When a watched source is checked: at an interval, or by a cron expression. */
export const scheduleSchema = z.union([
  z.strictObject({
    every: z
      .string()
      .regex(/^[1-9]\d{0,4}[mhd]$/, 'must be minutes, hours or days, such as 15m, 6h or 1d')
      .meta({ description: 'So often, as `15m`, `6h` or `1d`.' }),
  }),
  z.strictObject({
    cron: z
      .string()
      .max(256)
      .meta({ description: 'Minute, hour, day, month and weekday, such as `0 3 * * *`.' }),
    timezone: z
      .string()
      .max(64)
      .optional()
      .meta({ description: 'A time zone such as `Europe/Berlin`; UTC by default.' }),
  }),
]);
export type Schedule = z.infer<typeof scheduleSchema>;

/** A watched source's name in its collection, which is also the `source` of its documents. */
export const watchedNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/,
    'must be 1 to 63 of letters, digits, "_", "." and "-", starting with a letter or digit',
  );

/** The definition of a watched source. */
export const watchedSourceSchema = z
  .strictObject({
    files: z.array(z.string().min(1).max(8192)).min(1).max(1000).meta({
      description:
        'The places of its documents, as in a submission’s `source.files`: folders and files that the server may read, S3 prefixes and objects, URLs.',
    }),
    schedule: scheduleSchema,
    format: sourceFormatSchema.optional(),
    ...readingSchema.shape,
    mode: jobModeSchema.default('snapshot').meta({
      description:
        '`snapshot`: after each job, documents of this source that the job did not contain are deleted. `upsert`: none are deleted.',
    }),
    maxDeleted: maxDeletedSchema.optional(),
    priority: prioritySchema.optional(),
    maxFailures: maxFailuresSchema.optional(),
  })
  .meta({ id: 'WatchedSource' });
export type WatchedSource = z.infer<typeof watchedSourceSchema>;

const count = z.int().nonnegative();

/** One check of a watched source, and its outcome. */
export const sourceRunSchema = z.strictObject({
  at: z.iso.datetime(),
  outcome: z.enum(['submitted', 'unchanged', 'waiting', 'failed']).meta({
    description:
      'A job was submitted; or nothing has changed; or the previous job has not ended, so the source is checked again at the next time; or the source could not be checked or submitted.',
  }),
  job: z.string().nullable(),
  files: count.meta({ description: 'The number of files found.' }),
  added: count,
  changed: count,
  removed: count,
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
});
export type SourceRun = z.infer<typeof sourceRunSchema>;

/** A watched source as the API shows it, with its latest checks, newest first. */
export const watchedSourceViewSchema = watchedSourceSchema.extend({
  name: watchedNameSchema,
  collection: z.string(),
  tenant: z.string().nullable(),
  addedBy: z.string().meta({ description: 'The principal on whose behalf it is read and submitted.' }),
  createdAt: z.iso.datetime(),
  nextAt: z.iso.datetime().nullable().meta({ description: 'When the source is checked next.' }),
  runs: z.array(sourceRunSchema),
});
export type WatchedSourceView = z.infer<typeof watchedSourceViewSchema>;
