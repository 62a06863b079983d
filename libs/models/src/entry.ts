import { z } from 'zod';

/** A file in a model's folder. Only plain names are allowed, so that no entry can reach outside it. */
export const pathSchema = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/, 'must be a plain relative path');

/**
 * A file of a model. `sha256` is set if it is known for certain. A downloaded file without one must match the digest
 * that the hub states, if any, and from then on that of its first download.
 */
export const modelFileSchema = z.strictObject({
  path: pathSchema,
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits')
    .optional(),
  bytes: z.int().positive().optional(),
});
export type ModelFile = z.infer<typeof modelFileSchema>;

/**
 * The location of a model's files: in this repository; on a hub in the layout of Hugging Face, at one commit (never a
 * branch, because it may change while a collection uses it); or in a folder of the models folder.
 */
export const sourceSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('bundled'), folder: pathSchema }),
  z.strictObject({
    kind: z.literal('hub'),
    repository: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*\/[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be owner/name'),
    revision: z
      .string()
      .regex(
        /^[0-9a-f]{40}$/,
        'must be the 40 hex digits of a commit, not a branch or tag: those can change',
      ),
  }),
  z.strictObject({ kind: z.literal('local'), folder: pathSchema }),
]);

const prefixSchema = z.string().max(500);

const perChannel = z.tuple([z.number(), z.number(), z.number()]);

/** The part of a model that embeds images in the same space as its texts. */
const visionSchema = z.strictObject({
  model: modelFileSchema,
  data: z.array(modelFileSchema).default([]),
  size: z.int().min(8).max(2048).meta({ description: 'The side of the square images, in pixels.' }),
  mean: perChannel.meta({
    description: 'The mean to subtract from red, green and blue, for values from 0 to 1.',
  }),
  std: perChannel.meta({ description: 'The standard deviation by which they are then divided.' }),
  resize: z.enum(['shortest', 'exact']).default('shortest').meta({
    description:
      'Whether images are scaled by the shortest side and cropped to the middle, or scaled to the square.',
  }),
  resizeTo: z.int().min(8).max(4096).optional().meta({
    description: 'For `shortest`: the length that side is scaled to; `size` by default.',
  }),
  interpolation: z.enum(['bicubic', 'bilinear']).default('bicubic'),
});
export type VisionEntry = z.infer<typeof visionSchema>;

/** A linear layer of torch: `weight` [out, in] and, where there is one, `bias` [out], under any prefix. */
const linearFile = modelFileSchema.meta({
  description: 'The file of a linear layer: safetensors, or a torch file whose name ends in .pt.',
});

/** A `Dense` module of sentence-transformers: a linear layer over the pooled vector. */
const projectionSchema = z.strictObject({
  weights: linearFile,
  activation: z.enum(['identity', 'tanh']).default('identity'),
});
export type ProjectionEntry = z.infer<typeof projectionSchema>;

/** An additional value per token: an output of the graph, or a linear layer over the token vectors. */
const headSchema = z.union([
  z.strictObject({ output: z.string().min(1).max(200) }),
  z.strictObject({ weights: linearFile }),
]);
export type HeadEntry = z.infer<typeof headSchema>;

/** Alternative layers of a graph, one for each use of its vectors (LoRA, as in jina-embeddings-v3). */
const adaptersSchema = z.strictObject({
  input: z.string().min(1).max(200).meta({
    description: 'The graph’s input that chooses one for a whole batch: an int64 without dimensions.',
  }),
  query: z.int().nonnegative().meta({ description: 'The one for queries.' }),
  document: z.int().nonnegative().meta({ description: 'The one for documents.' }),
});
export type AdaptersEntry = z.infer<typeof adaptersSchema>;

/** The place of the instruction in an instruction prefix. */
export const INSTRUCTION_PLACE = '{instruction}';

const facts = {
  kind: z.enum(['dense', 'sparse', 'reranker']).meta({
    description:
      'What the model gives: a dense vector per text, a sparse vector over its vocabulary (SPLADE), or the score of a pair.',
  }),
  attentions: z.boolean().meta({
    description: 'Whether the graph also outputs its last layer’s attention, which BM42 needs.',
  }),
  dims: z.int().positive().max(65_536).meta({
    description: 'The size of a vector; for a sparse model the size of its vocabulary, for a reranker 1.',
  }),
  pooling: z.enum(['mean', 'cls', 'last', 'graph']).meta({
    description:
      'How dense models pool token vectors: by their mean, the first, the last, or inside the graph, which then has an output for it.',
  }),
  padding: z.enum(['right', 'left']).meta({
    description: 'Which side of shorter sequences is padded; decoders are often exported for left padding.',
  }),
  projections: z.array(projectionSchema).max(4).meta({
    description: 'Linear layers after pooling, in order: the `Dense` modules of sentence-transformers.',
  }),
  adapters: adaptersSchema.optional().meta({
    description: 'Which of its adapters a graph runs with, where it has several for different uses.',
  }),
  lexical: headSchema.optional().meta({
    description:
      'The layer that weighs each token, as for bge-m3’s sparse vectors. Such a model is its own sparse model.',
  }),
  tokenVectors: headSchema.optional().meta({
    description: 'The output with the vectors for late interaction; the graph’s token vectors by default.',
  }),
  perToken: z.boolean().meta({
    description:
      'Whether the graph gives the token vectors that late interaction needs; a static embedding does not.',
  }),
  normalize: z.boolean().meta({ description: 'Whether vectors are L2-normalised.' }),
  maxTokens: z
    .int()
    .min(8)
    .max(131_072)
    .meta({ description: 'The most tokens that the model reads, including special tokens.' }),
  queryPrefix: prefixSchema.meta({ description: 'The prefix of queries, as in training.' }),
  documentPrefix: prefixSchema.meta({ description: 'The prefix of documents, as in training.' }),
  prompts: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$/), prefixSchema).meta({
    description: 'Named prefixes that a request may choose in place of its role’s prefix.',
  }),
  instructionPrefix: prefixSchema
    .refine((prefix) => prefix.includes(INSTRUCTION_PLACE), `must have ${INSTRUCTION_PLACE} in it`)
    .optional()
    .meta({
      description: `The prefix of queries that carry an instruction, which replaces ${INSTRUCTION_PLACE}.`,
    }),
  padTokenId: z.int().nonnegative(),
  model: modelFileSchema.meta({ description: 'The ONNX file.' }),
  data: z
    .array(modelFileSchema)
    .meta({ description: 'The external data of the ONNX file, if its weights are not inside.' }),
  tokenizer: modelFileSchema,
  license: z.string().min(1),
  languages: z
    .array(z.string().regex(/^[a-z]{2,3}$/, 'must be a code of ISO 639'))
    .min(1)
    .optional()
    .meta({ description: 'The languages that it was trained for, such as `en`; `mul` for many.' }),
  matryoshka: z
    .array(z.int().positive())
    .meta({ description: 'Smaller sizes to which vectors can be truncated; none for most models.' }),
  batchArea: z.int().positive().optional().meta({
    description:
      'The largest batch on an uncalibrated CPU, in padded tokens; the default suits transformers.',
  }),
  batchInvariant: z.boolean().meta({
    description:
      'Whether a text gets the same vector, apart from rounding, whatever else is in its batch; false for ONNX’s dynamic int8.',
  }),
};

export type Pooling = z.infer<typeof facts.pooling>;

const { kind, pooling, padding, projections, adapters, lexical, tokenVectors, perToken, ...others } = facts;

const anyModel = {
  ...others,
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'must be letters, digits, ".", "_" and "-"'),
  source: sourceSchema,
  attentions: facts.attentions.default(false),
  normalize: facts.normalize.default(true),
  queryPrefix: facts.queryPrefix.default(''),
  documentPrefix: facts.documentPrefix.default(''),
  prompts: facts.prompts.default({}),
  padTokenId: facts.padTokenId.default(0),
  data: facts.data.default([]),
  tokenizer: facts.tokenizer.default({ path: 'tokenizer.json' }),
  matryoshka: facts.matryoshka.default([]),
  batchInvariant: facts.batchInvariant.default(true),
};

/** A model's kind, and how to process its output. Only dense models pool. */
export const modelEntrySchema = z.discriminatedUnion('kind', [
  z.strictObject({
    ...anyModel,
    kind: kind.extract(['dense']).default('dense'),
    pooling,
    padding: padding.default('right'),
    projections: projections.default([]),
    adapters,
    lexical,
    tokenVectors,
    perToken: perToken.default(true),
    vision: visionSchema.optional(),
  }),
  z.strictObject({ ...anyModel, kind: kind.extract(['sparse']) }),
  z.strictObject({ ...anyModel, kind: kind.extract(['reranker']) }),
]);

/** What a folder's own embedmill.json may state about its model. */
export const overridesSchema = z.strictObject({ ...facts, vision: visionSchema }).partial();

export type ModelFacts = z.infer<typeof overridesSchema>;

export type ModelKind = z.infer<typeof kind>;
export type ModelEntry = z.infer<typeof modelEntrySchema>;
export type ModelEntryInput = z.input<typeof modelEntrySchema>;
