import { z } from 'zod';
import type { ModelSummary } from '@embedmill/models';
import { openaiErrorOf, vectorFormSchema, type EmbedmillError } from '@embedmill/jobs';
import { ignoredBy } from './compatible-fields.ts';
import { embeddingInput } from './embedding-input.ts';
import type { Encoding } from './model-aliases.ts';
import { dimsOf } from './model.ts';
import { refusedField } from './problem.ts';
import { promptFields, roleFields } from './role.ts';
import { readableInputs, type TokenIds } from './token-ids.ts';

/** OpenAI's shapes, of requests to its routes and of lines of its batches alike. */

/** OpenAI's limit, and more than a request should need. */
const MAX_INPUTS = 2048;

/** A request for embeddings. */
export const embeddingRequestSchema = z.strictObject({
  model: z.string().meta({
    description:
      'A dense model, by its name or an alias; with `:query` or `:document` behind it, its texts are that.',
  }),
  input: embeddingInput.meta({ description: `What to embed; ${MAX_INPUTS} inputs at most.` }),
  encoding_format: z.enum(['float', 'base64']).default('float'),
  dimensions: z
    .int()
    .positive()
    .optional()
    .meta({ description: 'A smaller size, where the model was trained for it.' }),
  output_dtype: vectorFormSchema.default('float').meta({
    description: 'embedmill’s own: numbers as they are, a byte each, or a bit each, eight to a byte.',
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
 * What a request wants embedded, as the model can read it, and to how many numbers. Errors: `invalid_request`,
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
  const { given, pathOf } = inputsOf(input);
  return { inputs: await readableInputs(given, asked, tokenIds, pathOf), dims, pathOf };
}

/** One input for each vector, and where in the request each is. Errors: `invalid_request`. */
function inputsOf(input: z.infer<typeof embeddingRequestSchema>['input']): {
  given: (string | number[])[];
  pathOf: (index: number) => string;
} {
  const isOne = typeof input === 'string' || (input.length > 0 && typeof input[0] === 'number');
  const inputs = (isOne ? [input] : input) as (string | number[])[];
  if (inputs.length === 0) throw refusedField('input', 'there is nothing to embed');
  if (inputs.length > MAX_INPUTS) {
    throw refusedField(
      'input',
      `there are ${inputs.length} inputs; ${MAX_INPUTS} are the most in one request`,
    );
  }
  const pathOf = (index: number) => (isOne ? 'input' : `input/${index}`);
  const empty = inputs.findIndex(({ length }) => length === 0);
  if (empty !== -1) throw refusedField(pathOf(empty), 'the input is empty');
  return { given: inputs, pathOf };
}
