import { z } from 'zod';
import type { EmbedApi } from './embed-api.ts';

/** Most servers have it where OpenAI does; Infinity, as it comes, has it at the root. */
export const OPENAI_PATHS = ['/v1/embeddings', '/embeddings'] as const;

/** What OpenAI takes at most. Others take fewer and say so only by refusing. */
const MAX_ITEMS = 2048;

const answerSchema = z.object({
  data: z.array(z.object({ index: z.int().nonnegative(), embedding: z.unknown() })),
});

const modelsSchema = z.object({ data: z.array(z.object({ id: z.string() })) });

/** OpenAI's API, which many servers speak: vectors are asked for in base64, and taken as numbers, too. */
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

/** The models that an answer to `GET /v1/models` names; none when it is no such answer. */
export function modelsIn(answer: unknown): string[] {
  const { data, success } = modelsSchema.safeParse(answer);
  return success ? data.data.map(({ id }) => id) : [];
}
