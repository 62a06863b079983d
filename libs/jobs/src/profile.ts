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
        description: 'The most tokens per chunk, special tokens included; the model’s limit by default.',
      }),
      overlap: z.int().min(0).max(4096).default(0).meta({
        description: 'Tokens that a chunk repeats from the end of the previous one; at most half its size.',
      }),
      boundary: z.enum(['content', 'paragraph', 'sentence', 'word']).optional().meta({
        description:
          'The preferred place to end a chunk; falls back to the next smaller unit. `content`, the default of new collections, picks ends of paragraphs and sentences by the text itself, so that an edit moves few borders.',
      }),
      headings: z.boolean().optional().meta({
        description:
          'Whether a chunk is embedded with its headings in front, where the document’s structure is known; true by default.',
      }),
    }),
    z.strictObject({ mode: z.literal('document') }),
  ])
  .meta({
    description: '`tokens` cuts long texts into chunks; `document` keeps one chunk and reports truncation.',
  });

export const filterableTypeSchema = z
  .enum(['keyword', 'text', 'integer', 'float', 'boolean', 'datetime', 'geo'])
  .meta({
    description: '`keyword` matches as a whole or by prefix; `text` matches by words; `geo` is `{lat, lon}`.',
  });

/** A field of metadata by its path: `author.name` is the `name` of the object `author`. */
export const filterableFieldSchema = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_]{0,62}(\.[A-Za-z][A-Za-z0-9_]{0,62}){0,7}$/,
    'must be a letter followed by letters, digits and "_"; join such names with dots for a field of an object',
  );

/**
 * Languages whose stems and stop words BM25 and BM42 know. Languages without spaces, or with particles, also get pairs of
 * characters as terms. `auto` decides by each word's script; `none` leaves words unchanged.
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
 * How texts become the words of BM25, BM42, highlights and explanations. Terms differ between versions, so a
 * collection keeps the version that it was created with, for its documents and for queries.
 */
const analysisVersionSchema = z.union([z.literal(1), z.literal(2)]);
export type AnalysisVersion = z.infer<typeof analysisVersionSchema>;
/** The version of new collections. */
export const ANALYSIS_VERSION: AnalysisVersion = 2;

const bm25Schema = z.strictObject({
  k1: z
    .number()
    .min(0)
    .max(10)
    .default(1.2)
    .meta({ description: 'How quickly repetitions of a term stop adding to the score.' }),
  b: z
    .number()
    .min(0)
    .max(1)
    .default(0.75)
    .meta({ description: 'How strongly the score is normalised by text length.' }),
  language: languageSchema.default('english'),
  averageLength: z.number().positive().optional().meta({
    description:
      'The average number of terms per chunk; by default measured on a sample of the first job and then kept.',
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
      'A sparse model of the registry, or a model that also gives sparse vectors, such as bge-m3; if that is the dense model, one run gives both.',
  }),
  maxTerms: z
    .int()
    .min(1)
    .max(4096)
    .default(256)
    .meta({ description: 'The number of heaviest terms that a vector keeps.' }),
});
export type SpladeOptions = z.infer<typeof spladeSchema>;

/** The sparse vectors of a collection, in addition to its dense one. */
export const sparseProfileSchema = z
  .strictObject({
    bm25: bm25Schema.optional().meta({ description: 'Words, weighted by frequency.' }),
    bm42: bm42Schema
      .optional()
      .meta({ description: 'Words, weighted by the dense model’s attention; not all models provide it.' }),
    splade: spladeSchema
      .optional()
      .meta({ description: 'Terms that a neural network predicts, whether or not they occur in the text.' }),
  })
  .meta({ description: 'Sparse vectors, by scheme; none by default.' });
export type SparseProfile = z.infer<typeof sparseProfileSchema>;

export const lateInteractionSchema = z
  .strictObject({
    poolFactor: z.int().min(1).max(4).default(2).meta({
      description:
        'The average number of tokens that share a vector: similar tokens are clustered. 1 keeps one vector per token.',
    }),
  })
  .meta({
    description:
      'Stores a vector for each token of a chunk, one byte per number, so that `rerank` reads them instead of computing them.',
  });
export type LateInteraction = z.infer<typeof lateInteractionSchema>;

const videoSchema = z.strictObject({
  intervalSeconds: z
    .number()
    .min(0.1)
    .max(3600)
    .default(5)
    .meta({ description: 'Seconds between two frames.' }),
  maxFrames: z.int().min(1).max(10_000).default(500).meta({ description: 'The most frames of one video.' }),
});
export type VideoOptions = z.infer<typeof videoSchema>;

const count = (least: number, most: number) => z.int().min(least).max(most).optional();

export const layoutSchema = z
  .strictObject({
    shards: count(1, 1000).meta({ description: 'The number of shards; with custom sharding, per key.' }),
    replicas: count(1, 100).meta({ description: 'Replicas of each shard.' }),
    writeConsistency: count(1, 100).meta({
      description: 'Replicas that must apply a write before it is acknowledged.',
    }),
    onDisk: z.boolean().optional().meta({
      description: 'Whether vectors and the indexes of filterable fields are kept on disk.',
    }),
    hnswM: count(0, 1000).meta({ description: 'Links per point in the HNSW index (m).' }),
    hnswEfConstruct: count(4, 10_000).meta({
      description: 'Candidates considered for these links (ef_construct).',
    }),
    hnswPayloadM: count(0, 1000).meta({
      description: 'Links of a point within its tenant, or within one filterable value (payload_m).',
    }),
  })
  .meta({
    description:
      'How Qdrant keeps the collection; overrides the EMBEDMILL_QDRANT_… settings of the same names. Other stores refuse it.',
  });
export type CollectionLayout = z.infer<typeof layoutSchema>;

/** The least dims for `binary` storage; with fewer, searches miss some of the nearest vectors. */
export const LEAST_BINARY = 1024;

/** What a collection does with its documents. It is fixed when the collection is created. */
export const profileSchema = z
  .strictObject({
    model: z
      .string()
      .min(1)
      .default('all-MiniLM-L6-v2')
      .meta({ description: 'The name of the dense model in the model registry.' }),
    dims: z.int().positive().optional().meta({
      description: 'A smaller size of the dense vector, where the model was trained for it (Matryoshka).',
    }),
    storage: z.enum(['float32', 'int8', 'binary']).default('float32').meta({
      description:
        'How the store keeps dense vectors for the first stage of a search: int8 takes a quarter of the memory, binary a 32nd.',
    }),
    sparse: sparseProfileSchema.default({}),
    lateInteraction: lateInteractionSchema.optional(),
    layout: layoutSchema.optional(),
    chunking: chunkingSchema.default({ mode: 'tokens', overlap: 32 }),
    video: videoSchema.prefault({}).meta({ description: 'How videos are sampled.' }),
    filterable: z
      .record(filterableFieldSchema, filterableTypeSchema)
      .default({})
      .meta({ description: 'Metadata fields that search can filter on, with their types.' }),
  })
  .meta({ id: 'Profile' });

export type Chunking = z.infer<typeof chunkingSchema>;
export type FilterableType = z.infer<typeof filterableTypeSchema>;
export type Profile = z.infer<typeof profileSchema>;

/** The profile of documents that no collection stores: without the parts for stores and searches. */
export const embeddingProfileSchema = profileSchema.omit({
  storage: true,
  filterable: true,
  lateInteraction: true,
  layout: true,
});
export type EmbeddingProfile = z.infer<typeof embeddingProfileSchema>;

/** A second dense vector of a collection: the one it migrates to, or the one it migrated from. */
export const denseVectorSchema = z.strictObject({
  name: denseNameSchema,
  model: z.string().min(1),
  dims: z.int().positive(),
});
export type DenseVector = z.infer<typeof denseVectorSchema>;

/** Another collection of the same documents with different chunking or weighting. */
export const twinSchema = z.strictObject({
  name: collectionNameSchema,
  filled: z.boolean().meta({ description: 'Whether this collection has all documents of the twin.' }),
});

/**
 * A profile with what its model fixed when the collection was created.
 *
 * `vector`, `profile.model` and `dims` describe the dense vector that searches use. While `other` is set, each
 * document also gets that vector: a migration fills it before it swaps the two, and can swap them back.
 *
 * While `twin` is set and names this collection as its own twin, each document is written to both and deleted from both.
 */
export const collectionSchema = z.strictObject({
  name: collectionNameSchema,
  profile: profileSchema,
  dims: z.int().positive().meta({ description: 'Numbers in a dense vector.' }),
  vector: denseNameSchema.default('dense').meta({ description: 'The dense vector that searches use.' }),
  other: denseVectorSchema.optional().meta({ description: 'A second dense vector, of a migration.' }),
  twin: twinSchema.optional().meta({ description: 'The collection that this one is copied into or from.' }),
  addedFields: z.array(filterableFieldSchema).optional().meta({
    description: 'Fields of `profile.filterable` that were added after creation, in that order.',
  }),
  averageLength: z.number().positive().optional().meta({
    description: 'The average number of terms per chunk for BM25; set once the first job has been measured.',
  }),
  analysis: analysisVersionSchema.optional().meta({
    description:
      'The version of text analysis. From 2 on, words that Unicode treats as equal are the same term (NFKC, full case folding). Absent in older collections, which means 1.',
  }),
  createdAt: z.iso.datetime(),
});
export type Collection = z.infer<typeof collectionSchema>;

/** The collection name of jobs that write to a file and store nothing. */
export const NO_COLLECTION = '';

/** The definition by which a job embeds its documents: its collection's, or one of the job's own that no store knows. */
export const definitionSchema = collectionSchema.extend({
  name: z.union([collectionNameSchema, z.literal(NO_COLLECTION)]),
});

/** The dense vectors of a collection's points, the one that searches use first. */
export function denseVectors(collection: Collection): [DenseVector, ...DenseVector[]] {
  const { vector, profile, dims, other } = collection;
  return [{ name: vector, model: profile.model, dims }, ...(other === undefined ? [] : [other])];
}

/** The profile that a collection was created with. */
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
