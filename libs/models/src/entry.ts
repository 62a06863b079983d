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
const sourceSchema = z.discriminatedUnion('kind', [
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
  pooling: z.enum(['mean', 'cls']).meta({ description: 'How token vectors become one, in dense models.' }),
  normalize: z.boolean().meta({ description: 'Whether vectors are L2-normalised.' }),
  maxTokens: z.int().min(8).max(131_072).meta({ description: 'Tokens read, special tokens included.' }),
  queryPrefix: prefixSchema.meta({ description: 'Put in front of queries, as trained.' }),
  documentPrefix: prefixSchema.meta({ description: 'Put in front of documents, as trained.' }),
  padTokenId: z.int().nonnegative(),
  model: modelFileSchema.meta({ description: 'The ONNX file.' }),
  data: z
    .array(modelFileSchema)
    .meta({ description: 'External data of the ONNX file, where its weights are not inside.' }),
  tokenizer: modelFileSchema,
  license: z.string().min(1),
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

const { kind, pooling, ...others } = facts;

const anyModel = {
  ...others,
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'must be letters, digits, ".", "_" and "-"'),
  source: sourceSchema,
  attentions: facts.attentions.default(false),
  normalize: facts.normalize.default(true),
  queryPrefix: facts.queryPrefix.default(''),
  documentPrefix: facts.documentPrefix.default(''),
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
    vision: visionSchema.optional(),
  }),
  z.strictObject({ ...anyModel, kind: kind.extract(['sparse']) }),
  z.strictObject({ ...anyModel, kind: kind.extract(['reranker']) }),
]);

/** What a folder may say of its model in its own embedmill.json. */
export const overridesSchema = z.strictObject({ ...facts, vision: visionSchema }).partial();

export type ModelKind = z.infer<typeof kind>;
export type ModelEntry = z.infer<typeof modelEntrySchema>;
export type ModelEntryInput = z.input<typeof modelEntrySchema>;
