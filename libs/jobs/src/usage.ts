import { z } from 'zod';
import type { ShardResult } from './shard.ts';

/** The dimensions of usage: a day is a UTC day; an empty name stands for none. */
export const USAGE_DIMENSIONS = ['day', 'key', 'tenant', 'collection', 'model'] as const;
export const usageDimensionSchema = z.enum(USAGE_DIMENSIONS);
export type UsageDimension = z.infer<typeof usageDimensionSchema>;

/** The usage: settled documents of jobs, tokens run through models, engine time in milliseconds. */
export interface UsageAmounts {
  documents: number;
  tokens: number;
  engineMs: number;
}

export const usageAmountsSchema = z.strictObject({
  documents: z.int(),
  tokens: z.int(),
  engineMs: z.int(),
});

export const NO_USAGE: UsageAmounts = { documents: 0, tokens: 0, engineMs: 0 };

/** A job's usage by UTC day, such as 2026-11-29. */
export type DailyUsage = Readonly<Record<string, UsageAmounts>>;

export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

export function addedUsage(one: UsageAmounts, other: UsageAmounts): UsageAmounts {
  return {
    documents: one.documents + other.documents,
    tokens: one.tokens + other.tokens,
    engineMs: one.engineMs + other.engineMs,
  };
}

/** A job's usage after one more shard was settled on that day. */
export function withShardUsage(usage: DailyUsage, day: string, result: ShardResult): DailyUsage {
  const { documents, tokens, engineMs = 0 } = result;
  return { ...usage, [day]: addedUsage(usage[day] ?? NO_USAGE, { documents, tokens, engineMs }) };
}

const day = z.iso.date();

/** One line of a usage report; null means none, or that the report is not grouped by the dimension. */
export const usageRowSchema = z.strictObject({
  day: day.nullable().meta({ description: 'Of UTC.' }),
  key: z
    .string()
    .nullable()
    .meta({ description: 'The name of the key that made the request; null if no keys are set.' }),
  tenant: z.string().nullable().meta({ description: 'The tenant that the key or the job is bound to.' }),
  collection: z.string().nullable().meta({ description: 'Null for requests that concern no collection.' }),
  model: z.string().nullable(),
  documents: z.int().meta({ description: 'Documents of jobs that were settled, whatever their outcome.' }),
  tokens: z
    .int()
    .meta({ description: 'Tokens run through models, including special tokens but not padding.' }),
  engineSeconds: z.number().meta({ description: 'Engine time spent on bulk work.' }),
  cost: z
    .number()
    .nullable()
    .meta({ description: 'The cost by the configured prices; null if none of the models has a price.' }),
});
export type UsageRow = z.infer<typeof usageRowSchema>;

export const usageReportSchema = z
  .strictObject({
    from: day,
    to: day,
    groupBy: z.array(usageDimensionSchema),
    rows: z.array(usageRowSchema),
    total: usageRowSchema.pick({ documents: true, tokens: true, engineSeconds: true, cost: true }),
  })
  .meta({ id: 'UsageReport' });
export type UsageReport = z.infer<typeof usageReportSchema>;
