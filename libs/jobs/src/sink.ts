import { z } from 'zod';

/** How a file of documents and vectors is written; `ndjson.gz` is gzipped NDJSON. */
export const outputFormatSchema = z.enum(['ndjson', 'ndjson.gz', 'parquet']);
export type OutputFormat = z.infer<typeof outputFormatSchema>;

/** Where a job's rows go when they go to a file: written part by part, a part a shard, and joined when the job ends. */
export const sinkSchema = z.strictObject({
  format: outputFormatSchema,
  vectors: z.boolean().meta({ description: 'A row a point, with its vectors; else a row a document.' }),
  structure: z.boolean().optional().meta({
    description:
      'Whether rows of points have the structure of their texts. Workers of earlier versions, which write none, refuse such a shard.',
  }),
  to: z
    .string()
    .regex(/^s3:\/\/[^/]+\/.+/, 'must be s3://bucket/key')
    .optional()
    .meta({ description: 'An object to write, `s3://bucket/key`; by default the spool keeps the file.' }),
});
export type Sink = z.infer<typeof sinkSchema>;

/** What a request says of the file that a job's vectors go to. */
export const outputRequestSchema = sinkSchema.omit({ vectors: true, structure: true }).extend({
  format: outputFormatSchema.default('ndjson'),
});
export type OutputRequest = z.infer<typeof outputRequestSchema>;

/** What a request said of a file, which is the same where a later version writes more into it. */
export function askedSink(sink: Sink): Sink {
  return { ...sink, structure: undefined };
}
