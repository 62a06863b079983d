import { z } from 'zod';
import type { EmbedmillError } from './errors.ts';
import { roleSchema } from './query.ts';

/** Numbers of a vector as a response has them: as they are, a byte each, or a bit each. */
export const vectorFormSchema = z.enum(['float', 'int8', 'uint8', 'binary', 'ubinary']);

/** Of a job that answers an OpenAI batch: what its responses are made with. */
export const batchSchema = z.strictObject({
  id: z.string().meta({ description: 'The batch’s, which the ids of its responses are made of.' }),
  model: z.string().meta({ description: 'As its requests name it.' }),
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

/** An error as OpenAI's API gives it: the field of the request that it is of is its first detail's. */
export function openaiErrorOf({ status, code, message, details }: EmbedmillError): BatchError {
  const type = status >= 500 ? 'server_error' : status === 429 ? 'requests' : 'invalid_request_error';
  const param = details[0]?.path.split('/', 1)[0] || null;
  return { status, message, type, param, code };
}

/**
 * A line of a batch as workers get it: the text of a document whose id is the line's `custom_id`. Its body was checked
 * before; what was wrong with it is answered in its place.
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
