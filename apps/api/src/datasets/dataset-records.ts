import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { EmbedmillError, parseKept, storedSourceSchema } from '@embedmill/jobs';
import type { ClientRecords } from '../batches/client-records.ts';

const common = {
  id: z.string(),
  name: z.string(),
  tenant: z.string().optional(),
  createdAt: z.number(),
  rows: z.int(),
  source: storedSourceSchema,
};

/** A dataset, as stored in the spool. Times are epoch milliseconds. */
export const datasetSchema = z.discriminatedUnion('type', [
  /** The uploaded file, and how to read its rows. */
  z.strictObject({
    type: z.literal('embed-input'),
    ...common,
    reading: z.strictObject({
      format: z.enum(['ndjson', 'csv']),
      delimiter: z.string().optional(),
      required: z.array(z.string()),
      optional: z.array(z.string()),
      skipMalformed: z.boolean(),
    }),
    error: z.string().optional(),
    warnings: z.array(z.string()),
  }),
  /** The output of an embed job: an Avro file, served to anybody who has its secret. */
  z.strictObject({
    type: z.literal('embed-result'),
    ...common,
    fields: z.array(z.string()),
    secret: z.string(),
  }),
]);
export type Dataset = z.infer<typeof datasetSchema>;
export type InputDataset = Extract<Dataset, { type: 'embed-input' }>;

export function newDatasetId(): string {
  return `dataset-${randomBytes(12).toString('hex')}`;
}

/** The id of a job's output dataset. */
export function outputDatasetOf(job: string): string {
  return `dataset-${job}`;
}

/** Errors: `dataset_not_found`. */
export async function requireDataset(datasets: Pick<ClientRecords, 'read'>, id: string): Promise<Dataset> {
  const found = await datasets.read(id);
  if (found !== undefined) return parseKept(datasetSchema, found);
  throw new EmbedmillError('dataset_not_found', `there is no dataset with the id ${id.slice(0, 100)}`);
}
