import { z } from 'zod';

/** A collection's name: also a folder's name and a part of a URL, hence the narrow alphabet. */
export const collectionNameSchema = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_-]{0,62}$/,
    'must be 1 to 63 of a-z, 0-9, "_" and "-", starting with a letter or digit',
  )
  .meta({ description: 'The collection’s name.' });

export const chunkingSchema = z
  .discriminatedUnion('mode', [
    z.strictObject({
      mode: z.literal('tokens'),
      size: z.int().min(16).max(8192).optional().meta({
        description: 'Tokens a chunk at most, special tokens included; the model’s limit by default.',
      }),
      overlap: z.int().min(0).max(4096).default(0).meta({
        description: 'Tokens that a chunk repeats from the end of the one before, half its size at most.',
      }),
      boundary: z
        .enum(['paragraph', 'sentence', 'word'])
        .default('sentence')
        .meta({ description: 'Where a chunk ends when it can; falls back to the next smaller one.' }),
    }),
    z.strictObject({ mode: z.literal('document') }),
  ])
  .meta({
    description: '`tokens` cuts long texts into chunks; `document` keeps one and reports what was truncated.',
  });

export const filterableTypeSchema = z.enum(['keyword', 'integer', 'float', 'boolean', 'datetime']);

/** What a collection does with its documents. Fixed when the collection is created. */
export const profileSchema = z.strictObject({
  model: z
    .string()
    .min(1)
    .default('all-MiniLM-L6-v2')
    .meta({ description: 'The dense model, a name of the model registry.' }),
  chunking: chunkingSchema.default({ mode: 'tokens', overlap: 32, boundary: 'sentence' }),
  filterable: z
    .record(
      z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,62}$/, 'must be a letter, then letters, digits and "_"'),
      filterableTypeSchema,
    )
    .default({})
    .meta({ description: 'Metadata fields that search can filter on, with their types.' }),
});

export type Chunking = z.infer<typeof chunkingSchema>;
export type FilterableType = z.infer<typeof filterableTypeSchema>;
export type Profile = z.infer<typeof profileSchema>;

/** A profile with what its model fixed when the collection was created. */
export const collectionSchema = z.strictObject({
  name: collectionNameSchema,
  profile: profileSchema,
  dims: z.int().positive().meta({ description: 'Numbers in a dense vector.' }),
  createdAt: z.iso.datetime(),
});
export type Collection = z.infer<typeof collectionSchema>;
