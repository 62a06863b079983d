import { z } from 'zod';
import { seconds, type ClientFile } from './client-records.ts';

/** How long files are kept by default. */
const USUAL_AGE_MS = 30 * 24 * 3600 * 1000;

/** A file in OpenAI's format. */
export const fileView = z.strictObject({
  id: z.string(),
  object: z.literal('file'),
  bytes: z.int(),
  created_at: z.int(),
  expires_at: z
    .int()
    .meta({ description: 'When the file expires; by default after EMBEDMILL_API_FILE_DAYS.' }),
  filename: z.string(),
  purpose: z.enum(['batch', 'batch_output']),
  status: z.literal('processed'),
  status_details: z.null(),
});

export function fileViewOf(
  { id, source, createdAt, expiresAt, filename, purpose }: ClientFile,
  ageMs = USUAL_AGE_MS,
): z.infer<typeof fileView> {
  return {
    id,
    object: 'file',
    bytes: source.size,
    created_at: seconds(createdAt),
    expires_at: seconds(expiresAt ?? createdAt + ageMs),
    filename,
    purpose,
    status: 'processed',
    status_details: null,
  };
}
