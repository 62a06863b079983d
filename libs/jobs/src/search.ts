import { z } from 'zod';
import { jsonSchema } from './json.ts';
import { filterSchema } from './filter.ts';
import { denseNameSchema, sparseSchemeSchema } from './vectors.ts';

const textSchema = z.string().min(1).max(32_768);
const weightSchema = z.number().min(0).max(1000);

/** What a model is told to look for, of models that take instructions. */
export const instructionSchema = z.string().min(1).max(1000).meta({
  description: 'What is looked for, in a sentence, for models that take instructions (Qwen3-Embedding).',
});

/** One of several questions that are asked at once. */
const subquerySchema = z.strictObject({
  query: textSchema,
  weight: weightSchema.default(1).meta({ description: 'How much its hits count beside the others’.' }),
});

export const fusionSchema = z
  .strictObject({
    method: z.enum(['rrf', 'dbsf']).default('dbsf').meta({
      description:
        '`dbsf`: by scores, each list’s scaled by its own spread, where what a list lacks counts as its last hit; `rrf`: by ranks, Σ weight / (k + rank).',
    }),
    k: z
      .number()
      .min(0)
      .max(1000)
      .default(60)
      .meta({ description: 'Of `rrf`: how little the first ranks stand out.' }),
    depth: z
      .int()
      .min(1)
      .max(1000)
      .default(100)
      .meta({ description: 'Hits of each list that are fused, at least.' }),
    weights: z.partialRecord(z.enum(['dense', ...sparseSchemeSchema.options]), weightSchema).default({}),
  })
  .meta({ description: 'How the lists of a search with several vectors, or several queries, become one.' });
export type Fusion = z.infer<typeof fusionSchema>;

export const rerankSchema = z
  .strictObject({
    model: z.string().min(1).optional().meta({
      description:
        'A reranker of the registry; by default late interaction over the dense model’s token vectors.',
    }),
    depth: z
      .int()
      .min(1)
      .max(500)
      .default(100)
      .meta({ description: 'Hits that are looked at again, from the first.' }),
  })
  .meta({ description: 'Look at the best hits once more, more closely.' });
export type Rerank = z.infer<typeof rerankSchema>;

/** What a search has beside what it looks for. */
const selection = {
  limit: z.int().min(1).max(1000).default(10),
  offset: z.int().min(0).max(10_000).default(0),
  filter: filterSchema.optional(),
  tenant: z.string().min(1).max(128).optional().meta({ description: 'Whose documents to search.' }),
  group: z.boolean().default(false).meta({
    description: 'One hit a document, its best chunk; `limit` and `offset` count documents.',
  }),
};

export const searchRequestSchema = z
  .strictObject({
    query: textSchema.optional().meta({ description: 'What to look for, in words.' }),
    queries: z.array(subquerySchema).min(1).max(16).optional().meta({
      description: 'Several questions at once, in place of `query`; their hits are fused.',
    }),
    image: z
      .string()
      .min(1)
      .max(16 * 1024 * 1024)
      .optional()
      .meta({
        description: 'A picture to look for, as a data URI, in a collection whose model reads images.',
      }),
    prompt: z.string().min(1).max(100).optional().meta({
      description: 'The name of one of the dense model’s prompts, which is put in front of what is asked.',
    }),
    instruction: instructionSchema.optional(),
    mode: z.enum(['dense', 'sparse', 'hybrid']).optional().meta({
      description: 'Hybrid by default where the collection has sparse vectors, else dense.',
    }),
    sparse: z.array(sparseSchemeSchema).min(1).optional().meta({
      description: 'Which of the collection’s sparse vectors; all by default.',
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
      .meta({ description: 'Where in the chunk the query’s words stand.' }),
    explain: z.boolean().default(false).meta({ description: 'Which terms matched, and what each gave.' }),
    ...selection,
  })
  .meta({ id: 'SearchRequest' });
export type SearchRequest = z.infer<typeof searchRequestSchema>;
export type SearchRequestInput = z.input<typeof searchRequestSchema>;

/** Something to be like, or unlike: a document of the collection, or a text. */
const exampleSchema = z.union([
  z.strictObject({ id: z.string().min(1).max(512) }),
  z.strictObject({ text: textSchema }),
]);
export type Example = z.infer<typeof exampleSchema>;

export const recommendRequestSchema = z
  .strictObject({
    positive: z.array(exampleSchema).min(1).max(64).meta({ description: 'What hits should be like.' }),
    negative: z
      .array(exampleSchema)
      .max(64)
      .default([])
      .meta({ description: 'What they should not be like.' }),
    strategy: z.enum(['average', 'best']).default('average').meta({
      description:
        '`average`: near the sum of the positives less the negatives (analogies); `best`: near any of the positives, and nearer than to all negatives.',
    }),
    ...selection,
  })
  .meta({ id: 'RecommendRequest' });
export type RecommendRequest = z.infer<typeof recommendRequestSchema>;

const termShareSchema = z.strictObject({
  scheme: sparseSchemeSchema,
  term: z.string(),
  query: z.number().meta({ description: 'Its weight in the query, times its idf where the scheme has one.' }),
  document: z.number().meta({ description: 'Its weight in the chunk.' }),
  share: z.number().meta({ description: 'Its part of the scheme’s score, from 0 to 1.' }),
});
export type TermShare = z.infer<typeof termShareSchema>;

export const hitSchema = z
  .strictObject({
    id: z.string().meta({ description: 'The document’s id.' }),
    tenant: z.string().optional().meta({ description: 'Whose it is, for keys that are bound to no tenant.' }),
    score: z.number().meta({
      description:
        'Higher is better: a cosine similarity (dense), a sum of weights (sparse), or what fusion or reranking made of them.',
    }),
    text: z.string().meta({ description: 'The chunk’s text.' }),
    title: z.string().nullable(),
    metadata: z.record(z.string(), jsonSchema),
    image: z.string().optional().meta({ description: 'Where the document’s picture is.' }),
    chunk: z.strictObject({
      index: z.int(),
      count: z.int(),
      start: z
        .int()
        .meta({ description: 'First character of the chunk in the document’s text (UTF-16 units).' }),
      end: z.int().meta({ description: 'One past its last character.' }),
      timestamp: z.number().optional().meta({ description: 'Of a video’s frame: seconds from its start.' }),
      headings: z.array(z.string()).optional().meta({
        description: 'Those that it stands under in its document, the outermost first.',
      }),
      pages: z.array(z.int()).optional().meta({ description: 'Pages of the document that it is on.' }),
    }),
    scores: z.record(z.string(), z.number()).optional().meta({
      description: 'What each list said of the hit: `dense`, `bm25`, …, `rerank`.',
    }),
    shares: z.record(z.string(), z.number()).optional().meta({
      description:
        'With `explain`, of several lists that were fused: what part of the score each gave, from 0 to 1. Reranked hits have none.',
    }),
    highlights: z
      .array(z.strictObject({ start: z.int(), end: z.int() }))
      .optional()
      .meta({ description: 'Stretches of the document’s text, as `chunk` counts them.' }),
    explanation: z.array(termShareSchema).optional(),
  })
  .meta({ id: 'Hit' });
export type Hit = z.infer<typeof hitSchema>;

export const searchResponseSchema = z
  .strictObject({
    hits: z.array(hitSchema),
    next: z.int().optional().meta({
      description:
        'There where the answer had no room for all hits that were found: ask again with this as `offset`.',
    }),
  })
  .meta({ id: 'SearchResponse' });
