import { z } from 'zod';
import { EmbedmillError } from './errors.ts';

/** The name of a source of documents; a snapshot affects only the documents of its source. */
export const sourceNameSchema = z
  .string()
  .min(1)
  .max(256)
  .refine((name) => name.isWellFormed() && !name.includes('\0'), 'has a lone surrogate or a NUL');

export const jobModeSchema = z.enum(['upsert', 'snapshot']).meta({
  description:
    '`upsert` adds and replaces documents. `snapshot` means that these are all documents of their source; its other documents are deleted afterwards.',
});
export type JobMode = z.infer<typeof jobModeSchema>;

const percentage = z
  .string()
  .regex(/^\d+(\.\d+)?%$/, 'must be a share, such as 50% or 0.5')
  .transform((given) => Number(given.slice(0, -1)) / 100)
  .refine((share) => share <= 1, 'must be 100% at most');

/** The share of a source's documents that a snapshot may delete: 0 to 1. */
export const maxDeletedSchema = z.union([z.number().min(0).max(1), percentage]).meta({
  description:
    'For a snapshot: the share of its source’s documents that it may delete, such as 0.5 or "50%". If it would delete more, the job fails and deletes none. The default is 0.3; 1 allows all.',
});

export const DEFAULT_MAX_DELETED = 0.3;

/** Why the documents that a snapshot lacks may not be deleted; undefined if they may. */
export function tooManyDeletions(
  most: number | undefined,
  { gone, documents }: { gone: number; documents: number },
): EmbedmillError | undefined {
  const share = most ?? DEFAULT_MAX_DELETED;
  if (gone <= share * documents) return undefined;
  const message = `the snapshot lacks ${gone} of the ${documents} stored documents of its source, more than the allowed ${share * 100}% (maxDeleted), so none was deleted; its own documents are stored. To delete them, submit the snapshot again with maxDeleted 1 (--max-deleted 100%)`;
  return new EmbedmillError('too_many_deletions', message);
}

/** The source of a submission's documents, and whether they are all documents of that source. */
export interface SnapshotOptions {
  mode?: JobMode | undefined;
  /** The source of documents that do not name one. */
  sourceName?: string | undefined;
  maxDeleted?: number | undefined;
}

/** One line of a dry run's output: a document that would change, and how; `gone` means that a snapshot lacks it. */
export const documentChangeSchema = z.strictObject({
  change: z.enum(['added', 'changed', 'deleted', 'gone']),
  id: z.string(),
  tenant: z.string(),
});
export type DocumentChange = z.infer<typeof documentChangeSchema>;

export const snapshotOptionsSchema = z.object({
  mode: jobModeSchema.optional(),
  sourceName: sourceNameSchema.optional().meta({
    description: 'The `source` of documents that do not name one.',
  }),
  maxDeleted: maxDeletedSchema.optional(),
});
