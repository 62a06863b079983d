import { z } from 'zod';
import { jobStateSchema } from './job.ts';

const count = (description: string) => z.int().nonnegative().meta({ description });

/** The result of comparing a job's documents with the store. stored + deleted + failed + missing = documents. */
export const verificationSchema = z
  .strictObject({
    job: z.string(),
    state: jobStateSchema,
    recovered: z.boolean().meta({
      description: 'Whether the queue had lost the job, so that it was submitted again just now.',
    }),
    documents: count('Documents that were compared: those of the source without duplicates.'),
    stored: count('Documents that are stored, or that a later submission or deletion superseded.'),
    deleted: count('Documents that were submitted as deleted and do not exist.'),
    failed: count('Documents that the job’s failures list.'),
    missing: count(
      'All other documents: not stored, or not deleted. While the job runs, they are still to come.',
    ),
    missingIds: z.array(z.string()).meta({ description: 'The first hundred of them.' }),
    resubmitted: z.string().nullable().meta({
      description: 'The new job for the missing documents, if the job has finished.',
    }),
  })
  .meta({ id: 'Verification' });
export type Verification = z.infer<typeof verificationSchema>;
