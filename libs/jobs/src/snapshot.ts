import { z } from 'zod';
import { EmbedmillError } from './errors.ts';

/** What documents of one origin are called, so that a snapshot of it touches no others. */
export const sourceNameSchema = z
  .string()
  .min(1)
  .max(256)
  .refine((name) => name.isWellFormed() && !name.includes('\0'), 'has a lone surrogate or a NUL');

export const jobModeSchema = z.enum(['upsert', 'snapshot']).meta({
  description:
    '`upsert`: documents are added and replaced. `snapshot`: they are all that their source has; afterwards its other documents are deleted.',
});
export type JobMode = z.infer<typeof jobModeSchema>;

const percentage = z
  .string()
  .regex(/^\d+(\.\d+)?%$/, 'must be a share, as 50% or 0.5')
  .transform((given) => Number(given.slice(0, -1)) / 100)
  .refine((share) => share <= 1, 'must be 100% at most');

/** Of a source's documents, the share that a snapshot may delete: 0 to 1. */
export const maxDeletedSchema = z.union([z.number().min(0).max(1), percentage]).meta({
  description:
    'Of a snapshot: the share of its source’s documents that it may delete, as 0.5 or "50%"; where more would go, the job fails and none is deleted. 0.3 by default; 1 allows all.',
});

export const DEFAULT_MAX_DELETED = 0.3;

/** Why documents that a snapshot does not have may not be deleted; undefined where they may. */
export function tooManyDeletions(
  most: number | undefined,
  { gone, documents }: { gone: number; documents: number },
): EmbedmillError | undefined {
  const share = most ?? DEFAULT_MAX_DELETED;
  if (gone <= share * documents) return undefined;
  const message = `the snapshot lacks ${gone} of the ${documents} documents that its source has here, more than the ${share * 100}% that may go (maxDeleted), so none was deleted; its own documents are stored. If they are to go, submit it again with maxDeleted 1 (--max-deleted 100%)`;
  return new EmbedmillError('too_many_deletions', message);
}

/** What a submission says of its documents' source, and whether these are all that it has. */
export interface SnapshotOptions {
  mode?: JobMode | undefined;
  /** Of documents that name no source themselves. */
  sourceName?: string | undefined;
  maxDeleted?: number | undefined;
}

/** One line of a dry run's output: a document that would be changed, and how; `gone` are those that a snapshot lacks. */
export const documentChangeSchema = z.strictObject({
  change: z.enum(['added', 'changed', 'deleted', 'gone']),
  id: z.string(),
  tenant: z.string(),
});
export type DocumentChange = z.infer<typeof documentChangeSchema>;

export const snapshotOptionsSchema = z.object({
  mode: jobModeSchema.optional(),
  sourceName: sourceNameSchema.optional().meta({
    description: 'The `source` of documents that name none themselves.',
  }),
  maxDeleted: maxDeletedSchema.optional(),
});
