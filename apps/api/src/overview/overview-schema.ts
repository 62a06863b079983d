import { z } from 'zod';
import { workerNoteSchema } from '@embedmill/jobs';

const count = z.int().nonnegative();
const rate = z.number().nonnegative();
const bytes = z.number().nonnegative().nullable();

const settledSchema = z.strictObject({
  documents: count.meta({ description: 'Documents of jobs that were settled, one way or another.' }),
  failed: count.meta({ description: 'Those of them that failed.' }),
  tokens: count.meta({ description: 'Tokens of jobs that ran through models.' }),
});

export const problemSeverities = ['critical', 'warning', 'info'] as const;

/** What is wrong, and what to do, in the words of docs/runbooks.md. */
export const overviewProblemSchema = z
  .strictObject({
    runbook: z
      .string()
      .meta({ description: 'Its section in docs/runbooks.md; the same for the same problem.' }),
    anchor: z.string().meta({ description: 'Where that is, from the repository’s root.' }),
    severity: z.enum(problemSeverities),
    detail: z.string().meta({ description: 'What was seen here.' }),
    means: z.string().meta({ description: 'What it means; Markdown, as is `todo`.' }),
    todo: z.string().meta({ description: 'What to do.' }),
  })
  .meta({ id: 'OverviewProblem' });
export type OverviewProblem = z.infer<typeof overviewProblemSchema>;

export const PARTS = ['queue', 'store', 'spool', 'disk', 'memory'] as const;
export const partHealthSchema = z
  .strictObject({
    part: z.enum(PARTS),
    ok: z.boolean(),
    detail: z.string().nullable().meta({ description: 'What it is, or what is wrong with it.' }),
    usedBytes: bytes,
    totalBytes: bytes,
  })
  .meta({ id: 'PartHealth' });
export type PartHealth = z.infer<typeof partHealthSchema>;

export const ratesSchema = z.strictObject({
  documentsPerSecond: rate.meta({ description: 'Over the last half minute.' }),
  tokensPerSecond: rate,
  hour: settledSchema.meta({ description: 'What was settled in the last hour.' }),
  slotSeconds: z.int().meta({ description: 'How long a slot is.' }),
  slots: z
    .array(settledSchema.extend({ at: z.int().meta({ description: 'When it began: epoch milliseconds.' }) }))
    .meta({
      description:
        'The last hour, the oldest first; the last one is not over. Events have the last ones alone, which take the place of those of the same `at`.',
    }),
});
export type Rates = z.infer<typeof ratesSchema>;

export const overviewSchema = z
  .strictObject({
    at: z.iso.datetime(),
    tenant: z.string().nullable().meta({ description: 'The only tenant whose work it shows; null: of all.' }),
    paused: z.boolean().meta({ description: 'Whether all bulk work is stopped.' }),
    rates: ratesSchema
      .nullable()
      .meta({ description: 'Null for keys that are kept to some collections: it is counted by tenant.' }),
    backlog: z.strictObject({
      tokens: count.meta({ description: 'Tokens to go of unfinished jobs, estimated.' }),
      documents: count.meta({ description: 'Documents of scanned jobs that are not settled.' }),
      seconds: z
        .number()
        .nonnegative()
        .nullable()
        .meta({ description: 'When it will be empty, at the rate of now; null while nothing moves.' }),
      models: z.array(z.strictObject({ model: z.string(), tokens: count, documents: count })),
    }),
    jobs: z.strictObject({ waiting: count, active: count }).nullable().meta({
      description:
        'Unfinished jobs: that wait for a dispatcher, and that one has in hand. Admins see it, as what follows.',
    }),
    shards: z
      .strictObject({ waiting: count, active: count, oldestSeconds: z.number().nonnegative() })
      .nullable()
      .meta({ description: 'Shards on the queue, and the age of the oldest that no worker has claimed.' }),
    workers: z.array(workerNoteSchema).nullable(),
    health: z.array(partHealthSchema).nullable(),
    problems: z.array(overviewProblemSchema).nullable().meta({ description: 'The worst first.' }),
  })
  .meta({ id: 'Overview' });
export type Overview = z.infer<typeof overviewSchema>;
