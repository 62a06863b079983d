import { z } from 'zod';

/** The format of a file of documents and vectors; `ndjson.gz` is gzipped NDJSON. */
export const outputFormatSchema = z.enum(['ndjson', 'ndjson.gz', 'parquet']);
export type OutputFormat = z.infer<typeof outputFormatSchema>;

/** The file of a job's rows: each shard writes one part, and the parts are joined when the job ends. */
export const sinkSchema = z.strictObject({
  format: outputFormatSchema,
  vectors: z
    .boolean()
    .meta({ description: 'One row per point, with its vectors; otherwise one row per document.' }),
  structure: z.boolean().optional().meta({
    description:
      'Whether rows of points include the structure of their texts. Workers of earlier versions, which do not write it, refuse such a shard.',
  }),
  to: z
    .string()
    .regex(/^s3:\/\/[^/]+\/.+/, 'must be s3://bucket/key')
    .optional()
    .meta({ description: 'An object to write, `s3://bucket/key`; by default the spool keeps the file.' }),
});
export type Sink = z.infer<typeof sinkSchema>;

/** The file of a job's vectors, as in a request. */
export const outputRequestSchema = sinkSchema.omit({ vectors: true, structure: true }).extend({
  format: outputFormatSchema.default('ndjson'),
});
export type OutputRequest = z.infer<typeof outputRequestSchema>;

/** The fields of a request for a file, which identify it even if a later version writes more into it. */
export function askedSink(sink: Sink): Sink {
  return { ...sink, structure: undefined };
}
