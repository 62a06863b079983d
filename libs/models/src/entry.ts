import { z } from 'zod';

/** A file below a model's folder. Plain names only, so that no entry can reach outside of it. */
const pathSchema = z
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

const facts = {
  dims: z.int().positive().max(65_536).meta({ description: 'Numbers in a vector.' }),
  pooling: z.enum(['mean', 'cls']).meta({ description: 'How token vectors become one.' }),
  normalize: z.boolean().meta({ description: 'Whether vectors are L2-normalised.' }),
  maxTokens: z.int().min(8).max(131_072).meta({ description: 'Tokens read, special tokens included.' }),
  queryPrefix: prefixSchema.meta({ description: 'Put in front of queries, as trained.' }),
  documentPrefix: prefixSchema.meta({ description: 'Put in front of documents, as trained.' }),
  padTokenId: z.int().nonnegative(),
  model: modelFileSchema.meta({ description: 'The ONNX file; gives a vector a token.' }),
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

/** What a model is, and what must be done with its output to get its vectors. */
export const modelEntrySchema = z.strictObject({
  ...facts,
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'must be letters, digits, ".", "_" and "-"'),
  source: sourceSchema,
  normalize: facts.normalize.default(true),
  queryPrefix: facts.queryPrefix.default(''),
  documentPrefix: facts.documentPrefix.default(''),
  padTokenId: facts.padTokenId.default(0),
  data: facts.data.default([]),
  tokenizer: facts.tokenizer.default({ path: 'tokenizer.json' }),
  matryoshka: facts.matryoshka.default([]),
  batchInvariant: facts.batchInvariant.default(true),
});

/** What a folder may say of its model in its own embedmill.json. */
export const overridesSchema = z.strictObject(facts).partial();

export type ModelEntry = z.infer<typeof modelEntrySchema>;
export type ModelEntryInput = z.input<typeof modelEntrySchema>;
