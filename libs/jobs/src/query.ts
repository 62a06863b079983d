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
  description: 'Stands in front of each text, in place of what the model has for its role.',
});
const tokenIds = z.array(z.int().nonnegative());
const normalize = z.boolean().optional().meta({
  description:
    'Whether vectors are brought to length 1; true by default, else they are as the model gives them.',
});
const textsOrIds = z.array(z.union([text, tokenIds])).min(1);
const keep = z.enum(['start', 'end']).optional().meta({
  description: 'Which end of a text is read that is longer than the model reads; the start by default.',
});

/** What the interactive lane carries: work for a model, to be done at once, ahead of any bulk batch. */
export const querySchema = z.discriminatedUnion('task', [
  z.strictObject({
    task: z.literal('embed').meta({ description: 'Texts (or token ids) to dense vectors.' }),
    model,
    role,
    prefix,
    keep,
    normalize,
    lexical: z.boolean().optional().meta({
      description: 'Weigh the terms of each, too, in the same run; of models that do.',
    }),
    inputs: textsOrIds,
  }),
  z.strictObject({
    task: z.literal('sparse').meta({
      description:
        'Texts to vectors over the vocabulary of a sparse model, or of one that weighs its tokens.',
    }),
    model,
    role,
    prefix,
    keep,
    inputs: z.array(text).min(1),
  }),
  z.strictObject({
    task: z.literal('images').meta({ description: 'Images to dense vectors, in the space of the texts.' }),
    model,
    inputs: z.array(text).min(1).meta({ description: 'Images as data URIs.' }),
  }),
  z.strictObject({
    task: z.literal('rerank').meta({
      description:
        'How well each text answers the query: by a cross-encoder, or by a dense model’s late interaction.',
    }),
    model,
    query: text,
    inputs: z.array(text).min(1),
    prefix: prefix.meta({ description: 'Of late interaction: stands in front of the query.' }),
    emphasis: z
      .array(z.strictObject({ start: z.int(), end: z.int(), weight: z.number().min(0) }))
      .default([])
      .meta({
        description:
          'Of late interaction: what stretches of the query weigh (UTF-16 units), and nothing beside them; all of it alike by default.',
      }),
  }),
  z.strictObject({
    task: z.literal('tokens').meta({
      description:
        'Questions to vectors of their tokens, which late interaction holds against stored ones, and to their dense vectors.',
    }),
    model,
    prefix,
    dims: z.int().positive().meta({ description: 'Numbers of each that are wanted.' }),
    inputs: z.array(text).min(1),
  }),
  z.strictObject({
    task: z.literal('terms').meta({ description: 'What ids of a sparse model’s vocabulary stand for.' }),
    model,
    inputs: z.array(z.int().nonnegative()).min(1),
  }),
  z.strictObject({
    task: z.literal('states').meta({ description: 'Texts (or token ids) to a dense vector a token.' }),
    model,
    role,
    prefix,
    keep,
    normalize,
    inputs: textsOrIds,
  }),
  z.strictObject({
    task: z.literal('tokenize').meta({ description: 'Texts to their tokens, all of them.' }),
    model,
    role,
    prefix,
    special: z.boolean().meta({ description: 'Whether with the tokens that stand around every text.' }),
    inputs: z.array(text).min(1),
  }),
  z.strictObject({
    task: z.literal('detokenize').meta({ description: 'Token ids to the texts that they stand for.' }),
    model,
    special: z.boolean().meta({ description: 'Whether special tokens are written, too.' }),
    inputs: z.array(tokenIds).min(1),
  }),
]);
export type Query = z.infer<typeof querySchema>;
export type QueryTask = Query['task'];
export type QueryOf<Task extends QueryTask> = Extract<Query, { task: Task }>;

/** Per input: what the model read of it. */
export interface InputReading {
  /** Tokens run through the model. */
  tokens: number[];
  /** Whether it was cut to the model's limit. */
  truncated: boolean[];
  /** Whether the model knows no token of it, so that its vector says nothing. */
  unknown: boolean[];
}

export interface DenseVectors {
  dims: number;
  /** One after the other, inputs × dims; L2-normalised but where a query asks for them as they are. */
  vectors: Float32Array;
}

export interface DenseResult extends InputReading, DenseVectors {
  /** Terms of each input, where they were asked for. */
  terms?: SparseVector[];
}

/** A token of a text. */
export interface TextToken {
  id: number;
  /** What of the text it stands for; a special one's own name. */
  text: string;
  /** Whether it stands around every text. */
  special: boolean;
  /** Its first byte in the prefixed text (UTF-8), and the one behind its last; null of special ones. */
  start: number | null;
  stop: number | null;
}

export interface QueryResults {
  embed: DenseResult;
  images: DenseResult;
  sparse: InputReading & { vectors: SparseVector[] };
  /**
   * The higher the better; a cross-encoder’s are logits, those of late interaction from 0 to 1. `query` is what was read
   * of the query.
   */
  rerank: InputReading & {
    scores: Float32Array;
    kind: 'logit' | 'interaction';
    query: { truncated: boolean; unknown: boolean };
  };
  /** Of each question its tokens, without special ones, and its dense vector of the same run, from workers that give it. */
  tokens: InputReading & { questions: QuestionTokens[]; dense?: DenseVectors | undefined };
  terms: { terms: string[] };
  /** Of each input its tokens' vectors, one after the other, special tokens' among them: tokens × dims. Each of length 1 but where asked for as it is. */
  states: InputReading & { dims: number; states: Float32Array[] };
  tokenize: { found: TextToken[][] };
  detokenize: { texts: string[] };
}

/** A question's tokens, for late interaction. */
export interface QuestionTokens {
  vectors: TokenVectors;
  /** Where each begins in the question (UTF-16 units); -1 of those that are not of it, or that the model does not know. */
  places: Int32Array;
}

export type QueryResult<Task extends QueryTask = QueryTask> = QueryResults[Task];
