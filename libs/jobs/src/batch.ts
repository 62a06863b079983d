import { z } from 'zod';
import type { EmbedmillError } from './errors.ts';
import { roleSchema } from './query.ts';

/** The number format of vectors in a response: unchanged, one byte each, or one bit each. */
export const vectorFormSchema = z.enum(['float', 'int8', 'uint8', 'binary', 'ubinary']);

/** For a job that answers an OpenAI batch: what its responses need. */
export const batchSchema = z.strictObject({
  id: z
    .string()
    .meta({ description: 'The id of the batch, from which the ids of its responses are derived.' }),
  model: z.string().meta({ description: 'The model as its requests name it.' }),
});
export type Batch = z.infer<typeof batchSchema>;

/** An error in OpenAI's shape. */
export const batchErrorSchema = z.strictObject({
  status: z.int(),
  message: z.string(),
  type: z.string(),
  param: z.string().nullable(),
  code: z.string(),
});
export type BatchError = z.infer<typeof batchErrorSchema>;

/** An error in OpenAI's format; its field is that of the first detail. */
export function openaiErrorOf({ status, code, message, details }: EmbedmillError): BatchError {
  const type = status >= 500 ? 'server_error' : status === 429 ? 'requests' : 'invalid_request_error';
  const param = details[0]?.path.split('/', 1)[0] || null;
  return { status, message, type, param, code };
}

/**
 * A line of a batch as workers receive it: the text of a document whose id is the line's `custom_id`. Its body was checked
 * before; an invalid body is replaced by its error.
 */
export const batchRequestSchema = z.union([
  z.strictObject({
    inputs: z.array(z.union([z.string(), z.array(z.number())])),
    role: roleSchema,
    prefix: z.string().optional(),
    dims: z.int(),
    format: z.enum(['float', 'base64']),
    form: vectorFormSchema,
  }),
  z.strictObject({ error: batchErrorSchema }),
]);
export type BatchRequest = z.infer<typeof batchRequestSchema>;
