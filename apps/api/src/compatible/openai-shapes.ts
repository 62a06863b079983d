import { z } from 'zod';
import { dimsOf, type ModelSummary } from '@embedmill/models';
import { openaiErrorOf, vectorFormSchema, type EmbedmillError } from '@embedmill/jobs';
import { ignoredBy } from './compatible-fields.ts';
import { embeddingInput, listedInputs, MAX_INPUTS } from '../queries/embedding-input.ts';
import type { Encoding } from '../models/model-aliases.ts';
import { promptFields, roleFields } from '../models/role.ts';
import { readableInputs, type TokenIds } from './token-ids.ts';

/** OpenAI's formats, for requests to its routes and lines of its batches. */

/** A request for embeddings. */
export const embeddingRequestSchema = z.strictObject({
  model: z.string().meta({
    description:
      'A dense model, by its name or an alias. A suffix `:query` or `:document` sets the role of the texts.',
  }),
  input: embeddingInput.meta({ description: `What to embed: at most ${MAX_INPUTS} inputs.` }),
  encoding_format: z.enum(['float', 'base64']).default('float'),
  dimensions: z
    .int()
    .positive()
    .optional()
    .meta({ description: 'A smaller vector size, if the model was trained for it.' }),
  output_dtype: vectorFormSchema.default('float').meta({
    description:
      'An embedmill extension: numbers unchanged, as one byte each, or as one bit each with eight to a byte.',
  }),
  ...roleFields,
  ...promptFields,
  ...ignoredBy('openai'),
});

export const openaiErrorSchema = z.strictObject({
  error: z.strictObject({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});
export const openaiErrors = { '4xx': openaiErrorSchema, '5xx': openaiErrorSchema };

export function openaiError(error: EmbedmillError, message: string): z.infer<typeof openaiErrorSchema> {
  const { type, param, code } = openaiErrorOf(error);
  return { error: { message, type, param, code } };
}

/**
 * The inputs of a request as the model can read them, and the requested vector size. Errors: `invalid_request`,
 * `dimensions_not_allowed`.
 */
export async function readEmbeddingRequest(
  { input, dimensions }: Pick<z.output<typeof embeddingRequestSchema>, 'input' | 'dimensions'>,
  asked: {
    model: Pick<ModelSummary, 'name' | 'dims' | 'matryoshka'>;
    encoding: Encoding | undefined;
  },
  tokenIds: TokenIds,
): Promise<{ inputs: (string | number[])[]; dims: number; pathOf: (index: number) => string }> {
  const dims = dimsOf(asked.model, dimensions);
  const { inputs, pathOf } = listedInputs(input, 'input');
  return { inputs: await readableInputs(inputs, asked, tokenIds, pathOf), dims, pathOf };
}
