import { z } from 'zod';
import { jobStateSchema } from './job.ts';

const count = (description: string) => z.int().nonnegative().meta({ description });

/** What came of comparing a job's documents with the store. stored + deleted + failed + missing = documents. */
export const verificationSchema = z
  .strictObject({
    job: z.string(),
    state: jobStateSchema,
    recovered: z.boolean().meta({
      description: 'Whether the queue had lost the job, and it was submitted again just now.',
    }),
    documents: count('Documents that were compared: those of the source but for the duplicates.'),
    stored: count('Documents that the store has, or that a later submission or deletion has decided.'),
    deleted: count('Documents that were submitted as deleted, and are not there.'),
    failed: count('Documents that the job’s failures name.'),
    missing: count(
      'Documents that are none of these: not stored, or not deleted. Of a job that still runs they are yet to come.',
    ),
    missingIds: z.array(z.string()).meta({ description: 'The first hundred of them.' }),
    resubmitted: z.string().nullable().meta({
      description: 'The new job of what is missing, where the job has finished.',
    }),
  })
  .meta({ id: 'Verification' });
export type Verification = z.infer<typeof verificationSchema>;
