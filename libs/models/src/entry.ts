import { z } from 'zod';

/** A file below a model's folder. Plain names only, so that no entry can reach outside of it. */
export const pathSchema = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/, 'must be a plain relative path');

/**
 * A file of a model. `sha256` is given where it is known for certain; a downloaded file without one is held to
 * the digest that the hub states, if it states one, and to that of its first download ever after.
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
 * Where a model's files are: in this repository; on a hub in the layout of Hugging Face, at one commit (a branch
 * may change under a collection's feet, so none is taken); or in a folder of the models folder.
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

/** The part of a model that reads images, into the space of its texts. */
const visionSchema = z.strictObject({
  model: modelFileSchema,
  data: z.array(modelFileSchema).default([]),
  size: z.int().min(8).max(2048).meta({ description: 'Side of the square images, in pixels.' }),
  mean: perChannel.meta({ description: 'Subtracted from red, green and blue, of values from 0 to 1.' }),
  std: perChannel.meta({ description: 'What they are then divided by.' }),
  resize: z.enum(['shortest', 'exact']).default('shortest').meta({
    description: 'Scaled by the shortest side and cut from the middle, or scaled to the square.',
  }),
  resizeTo: z.int().min(8).max(4096).optional().meta({
    description: 'Of `shortest`: what that side becomes; the size by default.',
  }),
  interpolation: z.enum(['bicubic', 'bilinear']).default('bicubic'),
});
export type VisionEntry = z.infer<typeof visionSchema>;

/** A linear layer of torch: `weight` [out, in] and, where there is one, `bias` [out], under any prefix. */
const linearFile = modelFileSchema.meta({
  description: 'A file of a linear layer: safetensors, or torch’s own, whose name ends in .pt.',
});

/** A `Dense` module of sentence-transformers: a linear layer over the pooled vector. */
const projectionSchema = z.strictObject({
  weights: linearFile,
  activation: z.enum(['identity', 'tanh']).default('identity'),
});
export type ProjectionEntry = z.infer<typeof projectionSchema>;

/** What is read of every token beside its vector: an output that the graph has, or a linear layer over those vectors. */
const headSchema = z.union([
  z.strictObject({ output: z.string().min(1).max(200) }),
  z.strictObject({ weights: linearFile }),
]);
export type HeadEntry = z.infer<typeof headSchema>;

/** Layers that a graph has several of, one for each use of its vectors (LoRA, as in jina-embeddings-v3). */
const adaptersSchema = z.strictObject({
  input: z
    .string()
    .min(1)
    .max(200)
    .meta({ description: 'The graph’s input that chooses one for a whole batch: an int64 without dimensions.' }),
  query: z.int().nonnegative().meta({ description: 'The one for queries.' }),
  document: z.int().nonnegative().meta({ description: 'The one for documents.' }),
});
export type AdaptersEntry = z.infer<typeof adaptersSchema>;

/** Where the instruction stands in an instruction prefix. */
export const INSTRUCTION_PLACE = '{instruction}';

const facts = {
  kind: z.enum(['dense', 'sparse', 'reranker']).meta({
    description:
      'What it gives: a dense vector a text, a sparse one over its vocabulary (SPLADE), or the score of a pair.',
  }),
  attentions: z.boolean().meta({
    description: 'Whether the graph also gives its last layer’s attention, which BM42 needs.',
  }),
  dims: z.int().positive().max(65_536).meta({
    description: 'Numbers in a vector; of a sparse model its vocabulary’s terms, of a reranker 1.',
  }),
  pooling: z.enum(['mean', 'cls', 'last', 'graph']).meta({
    description:
      'How token vectors become one, in dense models: their mean, the first, the last, or as the graph itself does it, in an output of its own.',
  }),
  padding: z.enum(['right', 'left']).meta({
    description: 'Which side of shorter sequences is padded; decoders are often exported for the left.',
  }),
  projections: z.array(projectionSchema).max(4).meta({
    description: 'Linear layers behind pooling, in their order: `Dense` modules of sentence-transformers.',
  }),
  adapters: adaptersSchema.optional().meta({
    description: 'Which of its adapters a graph runs with, where it has several for different uses.',
  }),
  lexical: headSchema.optional().meta({
    description:
      'What weighs each token as a word, as bge-m3’s sparse vectors are made: such a model serves as its own sparse model.',
  }),
  tokenVectors: headSchema.optional().meta({
    description: 'The vectors that late interaction reads; the graph’s own token vectors by default.',
  }),
  perToken: z.boolean().meta({
    description:
      'Whether the graph gives vectors of single tokens, which late interaction reads; a static embedding gives none.',
  }),
  normalize: z.boolean().meta({ description: 'Whether vectors are L2-normalised.' }),
  maxTokens: z.int().min(8).max(131_072).meta({ description: 'Tokens read, special tokens included.' }),
  queryPrefix: prefixSchema.meta({ description: 'Put in front of queries, as trained.' }),
  documentPrefix: prefixSchema.meta({ description: 'Put in front of documents, as trained.' }),
  prompts: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$/), prefixSchema).meta({
    description: 'Prefixes by the name under which a request may ask for one, in place of its role’s.',
  }),
  instructionPrefix: prefixSchema
    .refine((prefix) => prefix.includes(INSTRUCTION_PLACE), `must have ${INSTRUCTION_PLACE} in it`)
    .optional()
    .meta({
      description: `The prefix of queries that come with an instruction, which takes the place of ${INSTRUCTION_PLACE}.`,
    }),
  padTokenId: z.int().nonnegative(),
  model: modelFileSchema.meta({ description: 'The ONNX file.' }),
  data: z
    .array(modelFileSchema)
    .meta({ description: 'External data of the ONNX file, where its weights are not inside.' }),
  tokenizer: modelFileSchema,
  license: z.string().min(1),
  languages: z
    .array(z.string().regex(/^[a-z]{2,3}$/, 'must be a code of ISO 639'))
    .min(1)
    .optional()
    .meta({ description: 'What it was trained for, as in `en`; `mul` for many languages.' }),
  matryoshka: z
    .array(z.int().positive())
    .meta({ description: 'Smaller sizes that vectors may be cut to; none for most models.' }),
  batchArea: z.int().positive().optional().meta({
    description:
      'The largest batch on a CPU where nothing was measured, in padded tokens; what suits transformers by default.',
  }),
  batchInvariant: z.boolean().meta({
    description:
      'Whether a text gets the same vector (but for rounding) whatever shares its batch; not so for ONNX’s dynamic int8.',
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

/** What a model is, and what must be done with its output. Only dense models pool. */
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

/** What a folder may say of its model in its own embedmill.json. */
export const overridesSchema = z.strictObject({ ...facts, vision: visionSchema }).partial();

export type ModelFacts = z.infer<typeof overridesSchema>;

export type ModelKind = z.infer<typeof kind>;
export type ModelEntry = z.infer<typeof modelEntrySchema>;
export type ModelEntryInput = z.input<typeof modelEntrySchema>;
