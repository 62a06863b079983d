import { z } from 'zod';
import type { EmbedmillError } from '@embedmill/jobs';

/** The error responses of Cohere's routes. */
const cohereErrorSchema = z.strictObject({ message: z.string() });
export const cohereErrors = { '4xx': cohereErrorSchema, '5xx': cohereErrorSchema };

export function cohereError(_error: EmbedmillError, message: string): z.infer<typeof cohereErrorSchema> {
  return { message };
}
