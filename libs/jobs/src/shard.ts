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
      'The folder that it must lie below, links followed; of files that the server was told to read.',
  }),
});
const inBucket = z.strictObject({
  kind: z.literal('s3'),
  uri: z.string(),
  size: z.int().nonnegative(),
  etag: z.string(),
});
const inline = z.strictObject({ kind: z.literal('inline'), lines: z.array(z.string()) });

/** A source that lies in a file (`file:///…` on a disk that workers see) or an object (`s3://bucket/key`). */
export const storedSourceSchema = z.discriminatedUnion('kind', [inFile, inBucket]);
export type StoredSource = z.infer<typeof storedSourceSchema>;

/**
 * Where a job's documents are, as NDJSON: in a file or an object, or right here when they are few. `size` with `modified`
 * or `etag` tells what changed.
 */
export const sourceRefSchema = z.discriminatedUnion('kind', [inFile, inBucket, inline]);
export type SourceRef = z.infer<typeof sourceRefSchema>;

/** A stretch of whole lines of a job's source. */
export const shardRangeSchema = z.preprocess(
  withDuplicates,
  z.strictObject({
    offset: z.int().nonnegative().meta({ description: 'First byte.' }),
    length: z.int().nonnegative().meta({ description: 'Bytes.' }),
    firstLine: z.int().positive().meta({ description: 'Number of its first line, from 1.' }),
    documents: z.int().nonnegative().meta({ description: 'Lines that are not blank.' }),
    duplicates: z.array(z.tuple([z.int(), z.int()])).meta({
      description: 'Lines whose document comes again later in the job, with the line where it does.',
    }),
  }),
);
export type ShardRange = z.infer<typeof shardRangeSchema>;

export const purposeSchema = z
  .enum(['ingest', 'compare', 'migrate', 'copy', 'export', 'embed', 'batch', 'dataset'])
  .meta({
    description:
      'Store the documents, tell what storing them would change, add the vectors of `collection.other` to documents that are stored, store those of `collection.twin`, write stored documents to a file, write the documents’ vectors to a file and store nothing, answer the requests of an OpenAI batch in a file, or embed the rows of a Cohere dataset into another one.',
  });
/** Manifests of earlier versions call them `superseded`. */
function withDuplicates(range: unknown): unknown {
  if (typeof range !== 'object' || range === null || !('superseded' in range)) return range;
  const { superseded, ...rest } = range;
  return { ...rest, duplicates: superseded };
}

/** What crosses the queue for one shard: references, never documents (unless the job is small). */
export const shardSchema = z.strictObject({
  job: z.string(),
  index: z.int().nonnegative(),
  sequence: sequenceSchema,
  rival: sequenceSchema.meta({
    description:
      'The greatest sequence below its own that may still be written: a document that an older one stored is confirmed, not only skipped.',
  }),
  purpose: purposeSchema.default('ingest'),
  sink: sinkSchema.optional().meta({ description: 'Of what goes to a file: how its rows are written.' }),
  batch: batchSchema.optional().meta({ description: 'Of a batch: what its responses are made with.' }),
  dataset: datasetJobSchema.optional().meta({ description: 'Of an embed job: what its rows are made of.' }),
  collection: definitionSchema,
  tenant: tenantSchema.optional().meta({
    description: 'The only tenant whose documents may come; without it, each document names its own.',
  }),
  mode: jobModeSchema.optional(),
  sourceName: sourceNameSchema
    .optional()
    .meta({ description: 'Of documents that name no source themselves.' }),
  sequenced: z.boolean().optional().meta({
    description: 'Of a deletion by a filter: its lines say the sequences that they delete at.',
  }),
  metadataBytes: z.int().positive().optional().meta({
    description: 'Of a document’s metadata as JSON, at most; what is usual by default.',
  }),
  reportRoom: jobReportsSchema.optional().meta({
    description: 'What may be said of its documents; as for a whole job by default.',
  }),
  source: sourceRefSchema,
  range: shardRangeSchema,
});
export type Shard = z.infer<typeof shardSchema>;

/**
 * What became of a shard's documents: stored + skipped + deleted + failed + duplicates + superseded = documents. What a later
 * version says beside it is passed over, so that a roll back finds the results that are on the queue.
 */
export const shardResultSchema = z.object({
  index: z.int().nonnegative(),
  documents: z.int(),
  stored: z.int(),
  skipped: z.int(),
  failed: z.int(),
  duplicates: z.int(),
  // Shards that a worker of an earlier version settled do not say.
  superseded: z.int().default(0),
  deleted: z.int().default(0),
  added: z.int().default(0),
  reused: z.int().default(0),
  truncated: z.int(),
  chunks: z.int(),
  tokens: z.int(),
  reported: jobReportsSchema.optional().meta({ description: 'What was written of its documents.' }),
  engineMs: z
    .int()
    .nonnegative()
    .optional()
    .meta({ description: 'Milliseconds that engines worked for it.' }),
  stageMs: z
    .record(z.string(), z.int().nonnegative())
    .optional()
    .meta({ description: 'Milliseconds that it was in each stage of the walk.' }),
});
export type ShardResult = z.infer<typeof shardResultSchema>;

/** What is counted of a shard's documents, before anything is. */
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

/** Milliseconds by stage, of one and another. */
export function addedStages(
  one: Readonly<Record<string, number>>,
  other: Readonly<Record<string, number>> = {},
): Record<string, number> {
  const sum: Record<string, number> = { ...one };
  for (const [stage, ms] of Object.entries(other)) sum[stage] = (sum[stage] ?? 0) + ms;
  return sum;
}
