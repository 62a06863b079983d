import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../problem.ts';

const modelSchema = z
  .strictObject({
    name: z.string(),
    repository: z
      .string()
      .optional()
      .meta({ description: 'Its id on the hub, by which clients may name it, too.' }),
    kind: z.string().meta({ description: '`dense`, `sparse` or `reranker`.' }),
    attentions: z.boolean().meta({ description: 'Whether it gives what BM42 needs.' }),
    lexical: z.boolean().meta({ description: 'Whether a dense model is its own sparse model, too.' }),
    prompts: z
      .record(z.string(), z.string())
      .meta({ description: 'What a request may have put in front of its texts, by name.' }),
    instructionPrefix: z
      .string()
      .optional()
      .meta({ description: 'What stands in front of queries that come with an instruction.' }),
    images: z.boolean().meta({ description: 'Whether it reads images, too.' }),
    dims: z.int().meta({ description: 'Numbers in a vector.' }),
    matryoshka: z.array(z.int()).meta({ description: 'Smaller sizes that its vectors may be cut to.' }),
    maxTokens: z.int().meta({ description: 'Tokens it reads at most, special tokens included.' }),
    pooling: z.string().optional(),
    bundled: z.boolean().meta({ description: 'Whether it needs no download.' }),
    local: z.boolean().meta({ description: 'Whether its files are in the models folder.' }),
    license: z.string(),
    available: z.boolean().meta({ description: 'Whether its files are here, so that it needs no network.' }),
  })
  .meta({ id: 'Model' });

export function modelRoutes({ models }: ApiParts): FastifyPluginAsyncZod {
  return async (server) => {
    server.get(
      '/models',
      {
        config: { access: 'any' },
        schema: {
          tags: ['models'],
          summary: 'Models that collections and embeddings can use',
          response: { 200: z.strictObject({ models: z.array(modelSchema) }), ...problemResponses },
        },
      },
      async () => ({ models: [...(await models())] }),
    );
  };
}
