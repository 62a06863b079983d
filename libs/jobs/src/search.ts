import { z } from 'zod';
import { jsonSchema } from './json.ts';
import { filterSchema } from './filter.ts';
import { denseNameSchema, sparseSchemeSchema } from './vectors.ts';

const textSchema = z.string().min(1).max(32_768);
const weightSchema = z.number().min(0).max(1000);

/** The instruction for models that take one. */
export const instructionSchema = z.string().min(1).max(1000).meta({
  description: 'The search task in one sentence, for models that take instructions (Qwen3-Embedding).',
});

/** One of several queries of a search. */
const subquerySchema = z.strictObject({
  query: textSchema,
  weight: weightSchema.default(1).meta({ description: 'The weight of its hits relative to the others’.' }),
});

export const fusionSchema = z
  .strictObject({
    method: z.enum(['rrf', 'dbsf']).default('dbsf').meta({
      description:
        '`dbsf` fuses by score: each list is scaled by its own spread, and a missing hit counts as the list’s last one. `rrf` fuses by rank: Σ weight / (k + rank).',
    }),
    k: z
      .number()
      .min(0)
      .max(1000)
      .default(60)
      .meta({ description: 'For `rrf`: the greater, the less the first ranks stand out.' }),
    depth: z
      .int()
      .min(1)
      .max(1000)
      .default(100)
      .meta({ description: 'The least number of hits of each list to fuse.' }),
    weights: z
      .partialRecord(z.enum(['dense', ...sparseSchemeSchema.options]), weightSchema)
      .default({})
      .meta({
        description:
          'The weight of each list. By default 1, or 0.3 for the words of a question in another script than the language of bm25 and bm42.',
      }),
  })
  .meta({ description: 'How to fuse the lists of a search with several vectors or several queries.' });
export type Fusion = z.infer<typeof fusionSchema>;

export const rerankSchema = z
  .strictObject({
    model: z.string().min(1).optional().meta({
      description:
        'A reranker from the registry; by default, late interaction over the dense model’s token vectors.',
    }),
    depth: z.int().min(1).max(500).default(100).meta({ description: 'The number of top hits to rerank.' }),
  })
  .meta({ description: 'Rerank the best hits with a more precise method.' });
export type Rerank = z.infer<typeof rerankSchema>;

/** The options of a search. */
const selection = {
  limit: z.int().min(1).max(1000).default(10),
  offset: z.int().min(0).max(10_000).default(0),
  filter: filterSchema.optional(),
  tenant: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .meta({ description: 'The tenant whose documents to search.' }),
  group: z.boolean().default(false).meta({
    description: 'Return one hit per document, its best chunk; `limit` and `offset` then count documents.',
  }),
};

export const searchRequestSchema = z
  .strictObject({
    query: textSchema.optional().meta({ description: 'What to look for, in words.' }),
    queries: z.array(subquerySchema).min(1).max(16).optional().meta({
      description: 'Several queries at once, in place of `query`; their hits are fused.',
    }),
    image: z
      .string()
      .min(1)
      .max(16 * 1024 * 1024)
      .optional()
      .meta({
        description: 'An image to search by, as a data URI, in a collection whose model reads images.',
      }),
    prompt: z.string().min(1).max(100).optional().meta({
      description: 'The name of one of the dense model’s prompts, which is put before the query.',
    }),
    instruction: instructionSchema.optional(),
    mode: z.enum(['dense', 'sparse', 'hybrid']).optional().meta({
      description: 'Hybrid by default if the collection has sparse vectors, otherwise dense.',
    }),
    sparse: z.array(sparseSchemeSchema).min(1).optional().meta({
      description: 'Which of the collection’s sparse vectors to search; all by default.',
    }),
    vector: denseNameSchema.optional().meta({
      description:
        'Which dense vector, where a migration has given the collection two: its `vector`, by default, or that of `other`.',
    }),
    fusion: fusionSchema.prefault({}),
    rerank: z.union([z.boolean(), rerankSchema]).default(false),
    highlight: z
      .boolean()
      .default(false)
      .meta({ description: 'Return where the query’s words occur in the chunk.' }),
    explain: z
      .boolean()
      .default(false)
      .meta({ description: 'Return which terms matched and what each contributed.' }),
    ...selection,
  })
  .meta({ id: 'SearchRequest' });
export type SearchRequest = z.infer<typeof searchRequestSchema>;
export type SearchRequestInput = z.input<typeof searchRequestSchema>;

/** A positive or negative example: a document of the collection, or a text. */
const exampleSchema = z.union([
  z.strictObject({ id: z.string().min(1).max(512) }),
  z.strictObject({ text: textSchema }),
]);
export type Example = z.infer<typeof exampleSchema>;

export const recommendRequestSchema = z
  .strictObject({
    positive: z
      .array(exampleSchema)
      .min(1)
      .max(64)
      .meta({ description: 'Examples that hits should resemble.' }),
    negative: z
      .array(exampleSchema)
      .max(64)
      .default([])
      .meta({ description: 'Examples that hits should not resemble.' }),
    strategy: z.enum(['average', 'best']).default('average').meta({
      description:
        '`average`: near the sum of the positives minus the negatives (analogies). `best`: near any positive, and nearer to it than to every negative.',
    }),
    ...selection,
  })
  .meta({ id: 'RecommendRequest' });
export type RecommendRequest = z.infer<typeof recommendRequestSchema>;

const termShareSchema = z.strictObject({
  scheme: sparseSchemeSchema,
  term: z.string(),
  query: z.number().meta({ description: 'Its weight in the query, times its idf if the scheme has one.' }),
  document: z.number().meta({ description: 'Its weight in the chunk.' }),
  share: z.number().meta({ description: 'Its share of the scheme’s score, from 0 to 1.' }),
});
export type TermShare = z.infer<typeof termShareSchema>;

export const hitSchema = z
  .strictObject({
    id: z.string().meta({ description: 'The document’s id.' }),
    tenant: z
      .string()
      .optional()
      .meta({ description: 'The owning tenant, shown to keys that are not bound to a tenant.' }),
    score: z.number().meta({
      description:
        'Higher is better: a cosine similarity (dense), a sum of weights (sparse), or the result of fusion or reranking.',
    }),
    text: z.string().meta({ description: 'The chunk’s text.' }),
    title: z.string().nullable(),
    metadata: z.record(z.string(), jsonSchema),
    image: z.string().optional().meta({ description: 'The location of the document’s image.' }),
    chunk: z.strictObject({
      index: z.int(),
      count: z.int(),
      start: z
        .int()
        .meta({ description: 'The first character of the chunk in the document’s text, in UTF-16 units.' }),
      end: z.int().meta({ description: 'One past its last character.' }),
      timestamp: z
        .number()
        .optional()
        .meta({ description: 'For a video frame: seconds from the start of the video.' }),
      headings: z.array(z.string()).optional().meta({
        description: 'The headings above it in its document, outermost first.',
      }),
      pages: z.array(z.int()).optional().meta({ description: 'The pages of the document that it is on.' }),
    }),
    scores: z.record(z.string(), z.number()).optional().meta({
      description: 'The hit’s rank and score in each list: `dense`, `bm25`, …, `rerank`.',
    }),
    shares: z.record(z.string(), z.number()).optional().meta({
      description:
        'With `explain`, of several lists that were fused: what part of the score each gave, from 0 to 1. Reranked hits have none.',
    }),
    highlights: z
      .array(z.strictObject({ start: z.int(), end: z.int() }))
      .optional()
      .meta({ description: 'Ranges of the document’s text, in the units of `chunk`.' }),
    explanation: z.array(termShareSchema).optional(),
  })
  .meta({ id: 'Hit' });
export type Hit = z.infer<typeof hitSchema>;

export const searchResponseSchema = z
  .strictObject({
    hits: z.array(hitSchema),
    next: z.int().optional().meta({
      description: 'Set if the response had no room for all hits: repeat the request with this `offset`.',
    }),
  })
  .meta({ id: 'SearchResponse' });
