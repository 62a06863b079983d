import { z } from 'zod';
import { batchSchema } from './batch.ts';
import { tenantSchema } from './ids.ts';
import { definitionSchema } from './profile.ts';
import { jobReportsSchema } from './report.ts';
import { sequenceSchema } from './sequence.ts';
import { datasetJobSchema } from './dataset-job.ts';
import { sinkSchema } from './sink.ts';
import { jobModeSchema, sourceNameSchema } from './snapshot.ts';

const inFile = z.strictObject({
  kind: z.literal('file'),
  uri: z.string(),
  size: z.int().nonnegative(),
  modified: z.number(),
  below: z.string().optional().meta({
    description:
      'For files on the server: the folder that must contain the file after symlinks are resolved.',
  }),
});
const inBucket = z.strictObject({
  kind: z.literal('s3'),
  uri: z.string(),
  size: z.int().nonnegative(),
  etag: z.string(),
});
const inline = z.strictObject({ kind: z.literal('inline'), lines: z.array(z.string()) });

/** A source in a file (`file:///…` on a disk that workers can read) or an object (`s3://bucket/key`). */
export const storedSourceSchema = z.discriminatedUnion('kind', [inFile, inBucket]);
export type StoredSource = z.infer<typeof storedSourceSchema>;

/**
 * The place of a job's documents, as NDJSON: a file or an object, or inline if they are few. `size` together with `modified`
 * or `etag` reveals changes.
 */
export const sourceRefSchema = z.discriminatedUnion('kind', [inFile, inBucket, inline]);
export type SourceRef = z.infer<typeof sourceRefSchema>;

/** A range of whole lines of a job's source. */
export const shardRangeSchema = z.preprocess(
  withDuplicates,
  z.strictObject({
    offset: z.int().nonnegative().meta({ description: 'First byte.' }),
    length: z.int().nonnegative().meta({ description: 'Bytes.' }),
    firstLine: z.int().positive().meta({ description: 'The number of its first line, from 1.' }),
    documents: z.int().nonnegative().meta({ description: 'The number of lines that are not blank.' }),
    duplicates: z.array(z.tuple([z.int(), z.int()])).meta({
      description: 'Lines whose document occurs again later in the job, each with that later line.',
    }),
  }),
);
export type ShardRange = z.infer<typeof shardRangeSchema>;

export const purposeSchema = z
  .enum(['ingest', 'compare', 'migrate', 'copy', 'export', 'embed', 'batch', 'dataset'])
  .meta({
    description:
      'Store the documents; report what storing them would change; add the vectors of `collection.other` to stored documents; store those of `collection.twin`; write stored documents to a file; write the documents’ vectors to a file and store nothing; answer the requests of an OpenAI batch in a file; or embed the rows of a Cohere dataset into another one.',
  });
/** Manifests of earlier versions call them `superseded`. */
function withDuplicates(range: unknown): unknown {
  if (typeof range !== 'object' || range === null || !('superseded' in range)) return range;
  const { superseded, ...rest } = range;
  return { ...rest, duplicates: superseded };
}

/** The queue message of one shard: references, never documents (unless the job is small). */
export const shardSchema = z.strictObject({
  job: z.string(),
  index: z.int().nonnegative(),
  sequence: sequenceSchema,
  rival: sequenceSchema.meta({
    description:
      'The greatest sequence below its own that may still be written. A document stored by an older sequence is confirmed, not only skipped.',
  }),
  purpose: purposeSchema.default('ingest'),
  sink: sinkSchema.optional().meta({ description: 'For jobs that write a file: how its rows are written.' }),
  batch: batchSchema.optional().meta({ description: 'For a batch: what its responses need.' }),
  dataset: datasetJobSchema.optional().meta({ description: 'For an embed job: what its rows contain.' }),
  collection: definitionSchema,
  tenant: tenantSchema.optional().meta({
    description: 'The only tenant whose documents are accepted; without it, each document names its own.',
  }),
  mode: jobModeSchema.optional(),
  sourceName: sourceNameSchema
    .optional()
    .meta({ description: 'The source of documents that do not name one.' }),
  sequenced: z.boolean().optional().meta({
    description: 'For a deletion by a filter: each line carries the sequence at which it deletes.',
  }),
  metadataBytes: z.int().positive().optional().meta({
    description: 'The largest metadata of a document, as JSON; the usual limit by default.',
  }),
  reportRoom: jobReportsSchema.optional().meta({
    description: 'How many reports its documents may have; as for a whole job by default.',
  }),
  source: sourceRefSchema,
  range: shardRangeSchema,
});
export type Shard = z.infer<typeof shardSchema>;

/**
 * The outcomes of a shard's documents: stored + skipped + deleted + failed + duplicates + superseded = documents. Unknown
 * fields of later versions are ignored, so that results on the queue stay readable after a rollback.
 */
export const shardResultSchema = z.object({
  index: z.int().nonnegative(),
  documents: z.int(),
  stored: z.int(),
  skipped: z.int(),
  failed: z.int(),
  duplicates: z.int(),
  // Missing in results of workers of an earlier version.
  superseded: z.int().default(0),
  deleted: z.int().default(0),
  added: z.int().default(0),
  reused: z.int().default(0),
  truncated: z.int(),
  chunks: z.int(),
  tokens: z.int(),
  reported: jobReportsSchema.optional().meta({ description: 'The reports written for its documents.' }),
  engineMs: z
    .int()
    .nonnegative()
    .optional()
    .meta({ description: 'Milliseconds of engine time that it took.' }),
  stageMs: z
    .record(z.string(), z.int().nonnegative())
    .optional()
    .meta({ description: 'Milliseconds that it spent in each stage of the worker’s pipeline.' }),
});
export type ShardResult = z.infer<typeof shardResultSchema>;

/** The counts of a shard before any document is settled. */
export const NO_COUNTS: Omit<ShardResult, 'index' | 'reported' | 'engineMs' | 'stageMs'> = {
  documents: 0,
  stored: 0,
  skipped: 0,
  failed: 0,
  duplicates: 0,
  superseded: 0,
  deleted: 0,
  added: 0,
  reused: 0,
  truncated: 0,
  chunks: 0,
  tokens: 0,
};

/** The sum of two times by stage, in milliseconds. */
export function addedStages(
  one: Readonly<Record<string, number>>,
  other: Readonly<Record<string, number>> = {},
): Record<string, number> {
  const sum: Record<string, number> = { ...one };
  for (const [stage, ms] of Object.entries(other)) sum[stage] = (sum[stage] ?? 0) + ms;
  return sum;
}
