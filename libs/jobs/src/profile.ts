import { z } from 'zod';
import { denseNameSchema } from './vectors.ts';

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
      boundary: z.enum(['content', 'paragraph', 'sentence', 'word']).optional().meta({
        description:
          'Where a chunk ends when it can; falls back to the next smaller one. `content`, which new collections have by default: at such ends of paragraphs and sentences as the text itself chooses, so that an edit moves few of them.',
      }),
      headings: z.boolean().optional().meta({
        description:
          'Whether a chunk of a document whose structure is known is embedded with the headings that it stands under in front; true by default.',
      }),
    }),
    z.strictObject({ mode: z.literal('document') }),
  ])
  .meta({
    description: '`tokens` cuts long texts into chunks; `document` keeps one and reports what was truncated.',
  });

export const filterableTypeSchema = z
  .enum(['keyword', 'text', 'integer', 'float', 'boolean', 'datetime', 'geo'])
  .meta({
    description:
      '`keyword` is compared as a whole, or by what it begins with; `text` by its words; `geo` is `{lat, lon}`.',
  });

/** A field of metadata by its path: `author.name` is the `name` of the object `author`. */
export const filterableFieldSchema = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_]{0,62}(\.[A-Za-z][A-Za-z0-9_]{0,62}){0,7}$/,
    'must be a letter, then letters, digits and "_"; such names joined by dots for a field of an object',
  );

/**
 * Languages whose words BM25 and BM42 know: their stems and stop words; of those without spaces or with particles, pairs of
 * characters beside the words. `auto` goes by each word's script; `none` takes words as they are.
 */
export const languageSchema = z.enum([
  'none',
  'auto',
  'arabic',
  'chinese',
  'danish',
  'dutch',
  'english',
  'finnish',
  'french',
  'german',
  'hungarian',
  'italian',
  'japanese',
  'korean',
  'norwegian',
  'portuguese',
  'romanian',
  'russian',
  'spanish',
  'swedish',
  'thai',
  'turkish',
]);
export type Language = z.infer<typeof languageSchema>;

/**
 * How texts are made into the words of BM25, BM42, highlights and explanations. Terms differ between versions, so a
 * collection keeps that of its making, for its documents and for what is asked of it.
 */
const analysisVersionSchema = z.union([z.literal(1), z.literal(2)]);
export type AnalysisVersion = z.infer<typeof analysisVersionSchema>;
/** That of new collections. */
export const ANALYSIS_VERSION: AnalysisVersion = 2;

const bm25Schema = z.strictObject({
  k1: z.number().min(0).max(10).default(1.2).meta({ description: 'How soon more of a term counts no more.' }),
  b: z.number().min(0).max(1).default(0.75).meta({ description: 'How much long texts are held back.' }),
  language: languageSchema.default('english'),
  averageLength: z.number().positive().optional().meta({
    description: 'Terms of a chunk on average; measured on a sample of the first job by default, then kept.',
  }),
});
export type Bm25Options = z.infer<typeof bm25Schema>;

const bm42Schema = z.strictObject({
  language: languageSchema.default('english'),
});
export type Bm42Options = z.infer<typeof bm42Schema>;

const spladeSchema = z.strictObject({
  model: z.string().min(1).default('splade-tiny').meta({
    description:
      'A sparse model of the registry, or one that gives sparse vectors too, as bge-m3: where it is the dense model, both come of one run.',
  }),
  maxTerms: z
    .int()
    .min(1)
    .max(4096)
    .default(256)
    .meta({ description: 'Terms that a vector keeps, the heaviest.' }),
});
export type SpladeOptions = z.infer<typeof spladeSchema>;

/** Which sparse vectors a collection has beside its dense one. */
export const sparseProfileSchema = z
  .strictObject({
    bm25: bm25Schema.optional().meta({ description: 'Words, weighted by how often they come.' }),
    bm42: bm42Schema
      .optional()
      .meta({ description: 'Words, weighted by the dense model’s attention; not all models give it.' }),
    splade: spladeSchema
      .optional()
      .meta({ description: 'Terms that a network finds, in the text or beside it.' }),
  })
  .meta({ description: 'Sparse vectors, by scheme; none by default.' });
export type SparseProfile = z.infer<typeof sparseProfileSchema>;

export const lateInteractionSchema = z
  .strictObject({
    poolFactor: z.int().min(1).max(4).default(2).meta({
      description:
        'Tokens that share a vector, on average: they are clustered by likeness. 1 keeps one vector a token.',
    }),
  })
  .meta({
    description:
      'Keeps vectors of each chunk’s tokens, a byte a number, which `rerank` then reads instead of computing them.',
  });
export type LateInteraction = z.infer<typeof lateInteractionSchema>;

const videoSchema = z.strictObject({
  intervalSeconds: z
    .number()
    .min(0.1)
    .max(3600)
    .default(5)
    .meta({ description: 'Seconds between two frames.' }),
  maxFrames: z.int().min(1).max(10_000).default(500).meta({ description: 'Frames of one video at most.' }),
});
export type VideoOptions = z.infer<typeof videoSchema>;

const count = (least: number, most: number) => z.int().min(least).max(most).optional();

export const layoutSchema = z
  .strictObject({
    shards: count(1, 1000).meta({ description: 'Shards; where it is sharded by keys, of each key.' }),
    replicas: count(1, 100).meta({ description: 'Copies of each shard.' }),
    writeConsistency: count(1, 100).meta({
      description: 'Copies that have to have a write before it is acknowledged.',
    }),
    onDisk: z.boolean().optional().meta({
      description: 'Whether vectors, and the indexes of filterable fields, are on disk.',
    }),
    hnswM: count(0, 1000).meta({ description: 'Links of a point in the index.' }),
    hnswEfConstruct: count(4, 10_000).meta({ description: 'Points that are looked at for these links.' }),
    hnswPayloadM: count(0, 1000).meta({
      description: 'Links of a point among those of its tenant, or of one filterable value.',
    }),
  })
  .meta({
    description:
      'How Qdrant keeps the collection, in place of what the settings EMBEDMILL_QDRANT_… of the same names say; other stores refuse it.',
  });
export type CollectionLayout = z.infer<typeof layoutSchema>;

/** Dims from which on `binary` storage tells vectors apart; below, searches miss some of the nearest. */
export const LEAST_BINARY = 1024;

/** What a collection does with its documents. Fixed when the collection is created. */
export const profileSchema = z
  .strictObject({
    model: z
      .string()
      .min(1)
      .default('all-MiniLM-L6-v2')
      .meta({ description: 'The dense model, a name of the model registry.' }),
    dims: z.int().positive().optional().meta({
      description: 'A smaller size of the dense vector, where the model was trained for it (Matryoshka).',
    }),
    storage: z.enum(['float32', 'int8', 'binary']).default('float32').meta({
      description:
        'How the store keeps dense vectors for its first look: int8 takes a quarter, binary a 32nd of the memory.',
    }),
    sparse: sparseProfileSchema.default({}),
    lateInteraction: lateInteractionSchema.optional(),
    layout: layoutSchema.optional(),
    chunking: chunkingSchema.default({ mode: 'tokens', overlap: 32 }),
    video: videoSchema.prefault({}).meta({ description: 'What is looked at of videos.' }),
    filterable: z
      .record(filterableFieldSchema, filterableTypeSchema)
      .default({})
      .meta({ description: 'Metadata fields that search can filter on, with their types.' }),
  })
  .meta({ id: 'Profile' });

export type Chunking = z.infer<typeof chunkingSchema>;
export type FilterableType = z.infer<typeof filterableTypeSchema>;
export type Profile = z.infer<typeof profileSchema>;

/** What documents are embedded by where no collection stores them: without what is for a store and for searches. */
export const embeddingProfileSchema = profileSchema.omit({
  storage: true,
  filterable: true,
  lateInteraction: true,
  layout: true,
});
export type EmbeddingProfile = z.infer<typeof embeddingProfileSchema>;

/** A second dense vector of a collection: the one it migrates to, or the one that it came from. */
export const denseVectorSchema = z.strictObject({
  name: denseNameSchema,
  model: z.string().min(1),
  dims: z.int().positive(),
});
export type DenseVector = z.infer<typeof denseVectorSchema>;

/** Another collection of the same documents, cut or weighted in another way. */
export const twinSchema = z.strictObject({
  name: collectionNameSchema,
  filled: z.boolean().meta({ description: 'Whether this collection has all documents that the twin has.' }),
});

/**
 * A profile with what its model fixed when the collection was created.
 *
 * `vector`, `profile.model` and `dims` are the dense vector that searches use. While `other` is there, each
 * document gets its vector too: a migration fills it before the two are exchanged, and can exchange them back.
 *
 * While `twin` is there, and names this collection as its own twin, each document is written to both, and deleted from both.
 */
export const collectionSchema = z.strictObject({
  name: collectionNameSchema,
  profile: profileSchema,
  dims: z.int().positive().meta({ description: 'Numbers in a dense vector.' }),
  vector: denseNameSchema.default('dense').meta({ description: 'The dense vector that searches use.' }),
  other: denseVectorSchema.optional().meta({ description: 'A second dense vector, of a migration.' }),
  twin: twinSchema.optional().meta({ description: 'The collection that this one is copied into, or from.' }),
  addedFields: z.array(filterableFieldSchema).optional().meta({
    description:
      'Fields of `profile.filterable` that it was not created with, in the order in which they were added.',
  }),
  averageLength: z.number().positive().optional().meta({
    description: 'Terms of a chunk on average, as BM25 uses it; there once the first job was measured.',
  }),
  analysis: analysisVersionSchema.optional().meta({
    description:
      'How texts are made into words: since 2, words that Unicode calls equal are one (NFKC, full case folding). Absent, as 1, where the collection is older.',
  }),
  createdAt: z.iso.datetime(),
});
export type Collection = z.infer<typeof collectionSchema>;

/** The name of what is no collection: of a job whose vectors go to a file. */
export const NO_COLLECTION = '';

/** What a job's documents are embedded by: its collection's definition, or one of the job's own that no store knows. */
export const definitionSchema = collectionSchema.extend({
  name: z.union([collectionNameSchema, z.literal(NO_COLLECTION)]),
});

/** The dense vectors of a collection's points, the one that searches use first. */
export function denseVectors(collection: Collection): [DenseVector, ...DenseVector[]] {
  const { vector, profile, dims, other } = collection;
  return [{ name: vector, model: profile.model, dims }, ...(other === undefined ? [] : [other])];
}

/** A collection's profile as it was created with. */
export function profileAsCreated({ profile, addedFields = [] }: Collection): Profile {
  if (addedFields.length === 0) return profile;
  const created = Object.entries(profile.filterable).filter(([field]) => !addedFields.includes(field));
  return { ...profile, filterable: Object.fromEntries(created) };
}

/** The collection with one more field to filter by. */
export function withField(collection: Collection, field: string, type: FilterableType): Collection {
  const { profile, addedFields = [] } = collection;
  return {
    ...collection,
    profile: { ...profile, filterable: { ...profile.filterable, [field]: type } },
    addedFields: [...addedFields, field],
  };
}
