import { z } from 'zod';
import { EmbedmillError } from './errors.ts';

const percentage = z
  .string()
  .regex(/^\d+(\.\d+)?%$/, 'must be a whole number, or a share such as 5% or 0.05')
  .transform((given) => Number(given.slice(0, -1)) / 100)
  .refine((share) => share < 1, 'must be a share below 100%');

/** How many of a job's documents may fail before it is stopped: a whole number, or a share below 1. */
export const maxFailuresSchema = z
  .union([
    z
      .number()
      .min(0)
      .refine(
        (value) => value < 1 || Number.isSafeInteger(value),
        'must be a whole number, or a share below 1',
      ),
    percentage,
  ])
  .meta({
    description:
      'Stops the job as failed once more documents than this have failed: a whole number, or a share of all documents such as 0.05 or "5%"; 0 stops at the first failure.',
  });
export type MaxFailures = z.infer<typeof maxFailuresSchema>;

/**
 * Why a job with this many failed documents must be stopped; undefined if it need not. A share has no effect while the
 * number of documents is unknown (0).
 */
export function tooManyFailures(
  most: MaxFailures | undefined,
  { failed, documents }: { failed: number; documents: number },
): EmbedmillError | undefined {
  if (most === undefined) return undefined;
  const isShare = most > 0 && most < 1;
  if (failed <= (isShare ? most * documents : most) || (isShare && documents === 0)) return undefined;
  const allowed = isShare ? `${most * 100}% of ${documents}` : String(most);
  const message = `${failed} documents failed, but only ${allowed} may (maxFailures), so the job was stopped; see its failures, fix the documents and submit them again: unchanged documents are skipped`;
  return new EmbedmillError('too_many_failures', message);
}
