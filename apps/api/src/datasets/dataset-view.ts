import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { datasetSchema as avroSchema } from '@embedmill/outputs';
import { allows, currentPrincipal } from '../access/principal.ts';
import type { Dataset } from './dataset-records.ts';

export const STATUSES = ['validated', 'failed'] as const;

/** A dataset in Cohere's format. */
export const datasetViewSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
  dataset_type: z.enum(['embed-input', 'embed-result']),
  validation_status: z.enum(STATUSES),
  validation_error: z.string().optional(),
  validation_warnings: z.array(z.string()),
  schema: z.string().optional().meta({ description: 'The Avro schema of its parts, as JSON.' }),
  required_fields: z.array(z.string()),
  preserve_fields: z.array(z.string()),
  dataset_parts: z.array(
    z.strictObject({
      id: z.string(),
      name: z.string(),
      url: z.string().optional().meta({
        description:
          'The address of the part, in Avro. It works without a key for anybody who has it, because clients send none.',
      }),
      index: z.int(),
      size_bytes: z.int(),
      num_rows: z.int(),
    }),
  ),
});
export type DatasetView = z.infer<typeof datasetViewSchema>;

/** As visible to the caller: only a key that may read vectors gets the address of an output. */
export function viewOfDataset(dataset: Dataset, request: FastifyRequest): DatasetView {
  const { id, name, createdAt, rows, source, type } = dataset;
  const at = new Date(createdAt).toISOString();
  const view = { id, name, created_at: at, updated_at: at, dataset_type: type, required_fields: ['text'] };
  if (type === 'embed-input') {
    const { error, warnings, reading } = dataset;
    return {
      ...view,
      validation_status: statusOf(dataset),
      ...(error !== undefined && { validation_error: error }),
      validation_warnings: warnings,
      preserve_fields: [...reading.required, ...reading.optional],
      dataset_parts: [],
    };
  }
  const { fields, secret } = dataset;
  const part = { id: `${id}-0`, name: `${name}.avro`, index: 0, size_bytes: source.size, num_rows: rows };
  const url = `${addressOf(request)}/v1/datasets/${id}/parts/0?secret=${secret}`;
  return {
    ...view,
    validation_status: statusOf(dataset),
    validation_warnings: [],
    schema: avroSchema({ fields }),
    preserve_fields: fields,
    dataset_parts: [allows(currentPrincipal(), 'search') ? { ...part, url } : part],
  };
}

export function statusOf(dataset: Dataset): (typeof STATUSES)[number] {
  return dataset.type === 'embed-input' && dataset.error !== undefined ? 'failed' : 'validated';
}

/** The server's address, as the caller uses it. */
function addressOf({ protocol, host, headers }: FastifyRequest): string {
  const scheme = headers['x-forwarded-proto'] === 'https' ? 'https' : protocol;
  return `${scheme}://${host}`;
}
