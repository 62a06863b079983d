/**
 * For tests: the contract of the two APIs that the fake upstream follows, from TEI's openapi.json and OpenAI's API
 * reference: the accepted requests, the refusals of others, and the answers.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';

export type Flavour = 'tei' | 'openai';

const texts = z.union([z.string().transform((one) => [one]), z.array(z.string()).min(1)]);

const embedRequestSchema = z.strictObject({
  inputs: texts,
  truncate: z.boolean().nullish(),
  truncation_direction: z.enum(['Left', 'Right']).optional(),
  prompt_name: z.string().nullish(),
  normalize: z.boolean().default(true),
  dimensions: z.int().positive().nullish(),
});

const createEmbeddingRequestSchema = z.strictObject({
  input: texts,
  model: z.string(),
  encoding_format: z.enum(['float', 'base64']).default('float'),
  dimensions: z.int().positive().optional(),
  user: z.string().optional(),
});

/** Whether a request is refused, and its texts if they can be read. */
export type Refusal =
  | { texts: string[]; status?: undefined }
  | { texts: string[]; status: number; answer: unknown }
  | { texts: undefined; status: number; answer: unknown; violation: string };

export function refusalOf(
  flavour: Flavour,
  body: unknown,
  { model, maxItems, refusal }: { model: string; maxItems: number; refusal: number },
): Refusal {
  if (flavour === 'tei') {
    const request = embedRequestSchema.safeParse(body);
    if (!request.success) return violation(422, request.error, teiError(request.error.message, 'Tokenizer'));
    const { inputs } = request.data;
    const error =
      inputs.length > maxItems
        ? `batch size ${inputs.length} > maximum allowed batch size ${maxItems}`
        : inputs.includes('')
          ? '`inputs` cannot be empty'
          : undefined;
    if (error === undefined) return { texts: inputs };
    return { texts: inputs, status: refusal, answer: teiError(error, 'Validation') };
  }
  const request = createEmbeddingRequestSchema.safeParse(body);
  if (!request.success) return violation(400, request.error, openaiError(request.error.message, null));
  const { input } = request.data;
  if (request.data.model !== model) {
    const message = `The model ${request.data.model} does not exist or you do not have access to it.`;
    return { texts: input, status: 404, answer: openaiError(message, 'model_not_found') };
  }
  if (input.length <= maxItems && !input.includes('')) return { texts: input };
  return { texts: input, status: refusal, answer: openaiError("'$.input' is invalid.", null) };
}

/** The answer to an accepted request, with these vectors. */
export function replyTo(
  flavour: Flavour,
  body: unknown,
  vectors: number[][],
  { model, knowsBase64 }: { model: string; knowsBase64: boolean },
): unknown {
  if (flavour === 'tei') {
    const { normalize } = embedRequestSchema.parse(body);
    return normalize ? vectors.map(normalized) : vectors;
  }
  const { encoding_format: format } = createEmbeddingRequestSchema.parse(body);
  const data = vectors.map((vector, index) => ({
    object: 'embedding',
    index,
    embedding: format === 'base64' && knowsBase64 ? base64Of(vector) : vector,
  }));
  return { object: 'list', data: data.reverse(), model, usage: { prompt_tokens: 1, total_tokens: 1 } };
}

/** The vector of a text, in exact float32 numbers; not normalised. */
export function fakeVector(text: string, dims: number): Float32Array {
  return Float32Array.from({ length: dims }, (_, d) => {
    const hash = createHash('sha256').update(`${d} ${text}`).digest();
    return hash.readInt32LE(0) / 2 ** 31;
  });
}

function normalized(vector: number[]): number[] {
  const length = Math.hypot(...vector);
  return vector.map((number) => Math.fround(number / length));
}

function base64Of(vector: number[]): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [d, number] of vector.entries()) bytes.writeFloatLE(number, d * 4);
  return bytes.toString('base64');
}

const teiError = (error: string, type: string) => ({ error, error_type: type });
const openaiError = (message: string, code: string | null) => ({
  error: { message, type: 'invalid_request_error', param: null, code },
});

function violation(status: number, error: z.ZodError, answer: unknown): Refusal {
  return { texts: undefined, status, answer, violation: error.message };
}
