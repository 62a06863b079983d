import { z } from 'zod';
import type { EmbedApi } from './embed-api.ts';

/** Most servers use OpenAI's paths; Infinity by default serves them at the root. */
export const OPENAI_PATHS = ['/v1/embeddings', '/embeddings'] as const;

/** OpenAI's maximum. Other servers accept fewer, but show it only by refusing. */
const MAX_ITEMS = 2048;

const answerSchema = z.object({
  data: z.array(z.object({ index: z.int().nonnegative(), embedding: z.unknown() })),
});

const modelsSchema = z.object({ data: z.array(z.object({ id: z.string() })) });

/** OpenAI's API, which many servers implement: requests vectors in base64, and accepts numbers, too. */
export function openaiApi(path: string, model: string): EmbedApi {
  return {
    name: 'openai',
    path,
    model,
    maxItems: MAX_ITEMS,
    isStated: false,
    maxRequests: Infinity,
    bodyFor: (input) => ({ input, model, encoding_format: 'base64' }),
    vectorsIn(answer, items) {
      const { data: parsed, success } = answerSchema.safeParse(answer);
      if (!success) return 'something that is not a list of embeddings with their indexes';
      if (parsed.data.length !== items) return `${parsed.data.length} vectors for ${items} texts`;
      const vectors = new Map(parsed.data.map(({ index, embedding }) => [index, embedding]));
      const inOrder = Array.from({ length: items }, (_, index) => vectors.get(index));
      return vectors.size === items && !inOrder.includes(undefined)
        ? inOrder
        : 'embeddings whose indexes do not match the texts';
    },
  };
}

/** The models in an answer to `GET /v1/models`; none if it is malformed. */
export function modelsIn(answer: unknown): string[] {
  const { data, success } = modelsSchema.safeParse(answer);
  return success ? data.data.map(({ id }) => id) : [];
}
