import { z } from 'zod';
import type { SparseVector, TokenVectors } from './vectors.ts';

/** What a text is to the model. */
export const roleSchema = z.enum(['query', 'document']);
export type Role = z.infer<typeof roleSchema>;
export const ROLES = roleSchema.options;

const text = z.string();
const role = roleSchema;
const model = z.string();
const prefix = z.string().optional().meta({
  description: 'A prefix for each text, in place of the model’s prefix for its role.',
});
const tokenIds = z.array(z.int().nonnegative());
const normalize = z.boolean().optional().meta({
  description:
    'Whether vectors are normalised to length 1 (the default); otherwise they stay as the model gives them.',
});
const textsOrIds = z.array(z.union([text, tokenIds])).min(1);
const keep = z.enum(['start', 'end']).optional().meta({
  description: 'Which end of a text is kept if it exceeds the model’s limit; the start by default.',
});

/** A message of the interactive lane: work for a model that runs ahead of any bulk batch. */
export const querySchema = z.discriminatedUnion('task', [
  z.strictObject({
    task: z.literal('embed').meta({ description: 'Turns texts (or token ids) into dense vectors.' }),
    model,
    role,
    prefix,
    keep,
    normalize,
    lexical: z.boolean().optional().meta({
      description: 'Also weigh the terms of each text in the same run, if the model supports it.',
    }),
    inputs: textsOrIds,
  }),
  z.strictObject({
    task: z.literal('sparse').meta({
      description:
        'Turns texts into vectors over the vocabulary of a sparse model, or of a model that weighs its tokens.',
    }),
    model,
    role,
    prefix,
    keep,
    inputs: z.array(text).min(1),
  }),
  z.strictObject({
    task: z
      .literal('images')
      .meta({ description: 'Turns images into dense vectors in the space of the texts.' }),
    model,
    inputs: z.array(text).min(1).meta({ description: 'Images as data URIs.' }),
  }),
  z.strictObject({
    task: z.literal('rerank').meta({
      description:
        'Scores how well each text answers the query, by a cross-encoder or by a dense model’s late interaction.',
    }),
    model,
    query: text,
    inputs: z.array(text).min(1),
    prefix: prefix.meta({ description: 'For late interaction: the prefix of the query.' }),
    emphasis: z
      .array(z.strictObject({ start: z.int(), end: z.int(), weight: z.number().min(0) }))
      .default([])
      .meta({
        description:
          'For late interaction: weights of ranges of the query, in UTF-16 units; the rest then weighs nothing. By default all of the query weighs the same.',
      }),
  }),
  z.strictObject({
    task: z.literal('tokens').meta({
      description:
        'Turns queries into vectors of their tokens, which late interaction compares with stored ones, and into their dense vectors.',
    }),
    model,
    prefix,
    dims: z.int().positive().meta({ description: 'The wanted size of each vector.' }),
    inputs: z.array(text).min(1),
  }),
  z.strictObject({
    task: z
      .literal('terms')
      .meta({ description: 'Looks up the terms of ids in a sparse model’s vocabulary.' }),
    model,
    inputs: z.array(z.int().nonnegative()).min(1),
  }),
  z.strictObject({
    task: z
      .literal('states')
      .meta({ description: 'Turns texts (or token ids) into one dense vector per token.' }),
    model,
    role,
    prefix,
    keep,
    normalize,
    inputs: textsOrIds,
  }),
  z.strictObject({
    task: z.literal('tokenize').meta({ description: 'Turns texts into all their tokens.' }),
    model,
    role,
    prefix,
    special: z.boolean().meta({ description: 'Whether to include the special tokens around each text.' }),
    inputs: z.array(text).min(1),
  }),
  z.strictObject({
    task: z.literal('detokenize').meta({ description: 'Turns token ids back into texts.' }),
    model,
    special: z.boolean().meta({ description: 'Whether to include special tokens.' }),
    inputs: z.array(tokenIds).min(1),
  }),
]);
export type Query = z.infer<typeof querySchema>;
export type QueryTask = Query['task'];
export type QueryOf<Task extends QueryTask> = Extract<Query, { task: Task }>;

/** For each input, what the model read of it. */
export interface InputReading {
  /** Tokens run through the model. */
  tokens: number[];
  /** Whether it was cut to the model's limit. */
  truncated: boolean[];
  /** Whether the model knows no token of it, so that its vector is meaningless. */
  unknown: boolean[];
}

export interface DenseVectors {
  dims: number;
  /** Concatenated: inputs × dims; L2-normalised unless a query asks for raw vectors. */
  vectors: Float32Array;
}

export interface DenseResult extends InputReading, DenseVectors {
  /** The terms of each input, if requested. */
  terms?: SparseVector[];
}

/** A token of a text. */
export interface TextToken {
  id: number;
  /** The part of the text that it represents; for a special token, its name. */
  text: string;
  /** Whether it surrounds every text. */
  special: boolean;
  /** Its first byte in the prefixed text (UTF-8), and the byte after its last; null for special tokens. */
  start: number | null;
  stop: number | null;
}

export interface QueryResults {
  embed: DenseResult;
  images: DenseResult;
  sparse: InputReading & { vectors: SparseVector[] };
  /**
   * Higher is better; a cross-encoder gives logits, late interaction values from 0 to 1. `query` is what was read of the
   * query.
   */
  rerank: InputReading & {
    scores: Float32Array;
    kind: 'logit' | 'interaction';
    query: { truncated: boolean; unknown: boolean };
  };
  /** Each question's tokens, without special ones, and its dense vector from the same run, if the worker returns it. */
  tokens: InputReading & { questions: QuestionTokens[]; dense?: DenseVectors | undefined };
  terms: { terms: string[] };
  /**
   * For each input the vectors of its tokens, including special ones, concatenated: tokens × dims. Each has length 1
   * unless requested otherwise.
   */
  states: InputReading & { dims: number; states: Float32Array[] };
  tokenize: { found: TextToken[][] };
  detokenize: { texts: string[] };
}

/** A question's tokens, for late interaction. */
export interface QuestionTokens {
  vectors: TokenVectors;
  /** The position of each token in the question, in UTF-16 units; -1 for tokens outside of it and for unknown tokens. */
  places: Int32Array;
}

export type QueryResult<Task extends QueryTask = QueryTask> = QueryResults[Task];
