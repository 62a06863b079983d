import { z } from 'zod';
import { workerNoteSchema } from '@embedmill/jobs';

const count = z.int().nonnegative();
const rate = z.number().nonnegative();
const bytes = z.number().nonnegative().nullable();

const settledSchema = z.strictObject({
  documents: count.meta({ description: 'Documents of jobs that were settled, whatever their outcome.' }),
  failed: count.meta({ description: 'The documents among them that failed.' }),
  tokens: count.meta({ description: 'Tokens of jobs that were run through models.' }),
});

export const problemSeverities = ['critical', 'warning', 'info'] as const;

/** A detected problem and what to do about it, in the words of docs/runbooks.md. */
export const overviewProblemSchema = z
  .strictObject({
    runbook: z
      .string()
      .meta({ description: 'Its section in docs/runbooks.md, stable for the same problem.' }),
    anchor: z.string().meta({ description: 'The path of that section from the repository’s root.' }),
    severity: z.enum(problemSeverities),
    detail: z.string().meta({ description: 'What was observed.' }),
    means: z.string().meta({ description: 'What the problem means; Markdown, like `todo`.' }),
    todo: z.string().meta({ description: 'What to do.' }),
  })
  .meta({ id: 'OverviewProblem' });
export type OverviewProblem = z.infer<typeof overviewProblemSchema>;

export const PARTS = ['queue', 'store', 'spool', 'disk', 'memory'] as const;
export const partHealthSchema = z
  .strictObject({
    part: z.enum(PARTS),
    ok: z.boolean(),
    detail: z.string().nullable().meta({ description: 'Its description, or what is wrong with it.' }),
    usedBytes: bytes,
    totalBytes: bytes,
  })
  .meta({ id: 'PartHealth' });
export type PartHealth = z.infer<typeof partHealthSchema>;

export const ratesSchema = z.strictObject({
  documentsPerSecond: rate.meta({ description: 'Averaged over the last half minute.' }),
  tokensPerSecond: rate,
  hour: settledSchema.meta({ description: 'What was settled in the last hour.' }),
  slotSeconds: z.int().meta({ description: 'The length of a slot.' }),
  slots: z
    .array(
      settledSchema.extend({
        at: z.int().meta({ description: 'When the slot began, in epoch milliseconds.' }),
      }),
    )
    .meta({
      description:
        'The slots of the last hour, oldest first; the last one is still open. Events carry only the latest slots, which replace those with the same `at`.',
    }),
});
export type Rates = z.infer<typeof ratesSchema>;

export const overviewSchema = z
  .strictObject({
    at: z.iso.datetime(),
    tenant: z.string().nullable().meta({ description: 'The only tenant whose work is shown; null for all.' }),
    paused: z.boolean().meta({ description: 'Whether all bulk work is paused.' }),
    rates: ratesSchema.nullable().meta({
      description: 'Null for keys that are restricted to some collections, because it is counted by tenant.',
    }),
    backlog: z.strictObject({
      tokens: count.meta({ description: 'Estimated tokens that unfinished jobs still need.' }),
      documents: count.meta({ description: 'Documents of scanned jobs that are not settled yet.' }),
      seconds: z.number().nonnegative().nullable().meta({
        description: 'When the backlog will be empty at the current rate; null while nothing progresses.',
      }),
      models: z.array(z.strictObject({ model: z.string(), tokens: count, documents: count })),
    }),
    jobs: z.strictObject({ waiting: count, active: count }).nullable().meta({
      description:
        'Unfinished jobs that wait for a dispatcher or are being dispatched. Only admins see this and the following fields.',
    }),
    shards: z
      .strictObject({ waiting: count, active: count, oldestSeconds: z.number().nonnegative() })
      .nullable()
      .meta({ description: 'Shards on the queue, and the age of the oldest unclaimed one.' }),
    workers: z.array(workerNoteSchema).nullable(),
    health: z.array(partHealthSchema).nullable(),
    problems: z
      .array(overviewProblemSchema)
      .nullable()
      .meta({ description: 'Current problems, most severe first.' }),
  })
  .meta({ id: 'Overview' });
export type Overview = z.infer<typeof overviewSchema>;
