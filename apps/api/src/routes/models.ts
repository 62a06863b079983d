import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { workerModelSchema } from '@embedmill/jobs';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../http/problem.ts';

const modelSchema = z
  .strictObject({
    name: z.string(),
    repository: z
      .string()
      .optional()
      .meta({ description: 'Its id on the hub, by which clients may also name it.' }),
    kind: z.string().meta({ description: '`dense`, `sparse` or `reranker`.' }),
    attentions: z.boolean().meta({ description: 'Whether it provides the attention that BM42 needs.' }),
    lexical: z.boolean().meta({ description: 'Whether a dense model also gives sparse vectors.' }),
    tokenVectors: z
      .boolean()
      .meta({ description: 'Whether it provides the token vectors that late interaction needs.' }),
    prompts: z
      .record(z.string(), z.string())
      .meta({ description: 'Prefixes that a request may choose for its texts, by name.' }),
    instructionPrefix: z
      .string()
      .optional()
      .meta({ description: 'The prefix of queries that carry an instruction.' }),
    images: z.boolean().meta({ description: 'Whether it also reads images.' }),
    dims: z.int().meta({ description: 'The size of its vectors.' }),
    matryoshka: z
      .array(z.int())
      .meta({ description: 'Smaller sizes to which its vectors can be truncated.' }),
    maxTokens: z.int().meta({ description: 'The most tokens that it reads, including special tokens.' }),
    pooling: z.string().optional(),
    bundled: z.boolean().meta({ description: 'Whether it needs no download.' }),
    local: z.boolean().meta({ description: 'Whether its files are in the models folder.' }),
    license: z.string(),
    languages: z.array(z.string()).nullable().meta({
      description: 'The languages that it was trained for, by ISO 639; `mul` for many; null if unknown.',
    }),
    bytes: z.int().nullable().meta({ description: 'The size of its files; null if unknown.' }),
    available: z
      .boolean()
      .meta({ description: 'Whether its files are available locally, so that it needs no network.' }),
    workers: z
      .array(workerModelSchema)
      .meta({ description: 'The state of the workers that have the model or are loading it.' }),
  })
  .meta({ id: 'Model' });

/** The available models, and whether workers have loaded them. */
export function modelRoutes({ models, queue }: ApiParts): FastifyPluginAsyncZod {
  return async (server) => {
    server.get(
      '/models',
      {
        config: { access: 'any' },
        schema: {
          tags: ['models'],
          summary: 'List the models that collections and embeddings can use',
          response: { 200: z.strictObject({ models: z.array(modelSchema) }), ...problemResponses },
        },
      },
      async () => {
        const [all, { present }] = await Promise.all([models(), queue.workers()]);
        const told = present.flatMap((worker) => worker.models);
        return {
          models: all.map(({ languages, bytes = null, ...model }) => ({
            ...model,
            languages: languages === undefined ? null : [...languages],
            bytes,
            workers: told.filter((one) => one.model === model.name),
          })),
        };
      },
    );
  };
}
