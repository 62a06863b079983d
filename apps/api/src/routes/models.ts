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
      .meta({ description: 'Its id on the hub, by which clients may name it, too.' }),
    kind: z.string().meta({ description: '`dense`, `sparse` or `reranker`.' }),
    attentions: z.boolean().meta({ description: 'Whether it gives what BM42 needs.' }),
    lexical: z.boolean().meta({ description: 'Whether a dense model is its own sparse model, too.' }),
    tokenVectors: z
      .boolean()
      .meta({ description: 'Whether it gives what late interaction reads: vectors of single tokens.' }),
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
    languages: z.array(z.string()).nullable().meta({
      description: 'What it was trained for, by ISO 639; `mul` for many; null where it is not said.',
    }),
    bytes: z.int().nullable().meta({ description: 'Of its files; null where it is not known.' }),
    available: z.boolean().meta({ description: 'Whether its files are here, so that it needs no network.' }),
    workers: z
      .array(workerModelSchema)
      .meta({ description: 'How those workers stand with it that have it, or are getting it.' }),
  })
  .meta({ id: 'Model' });

/** What may be used, and how far workers have it. */
export function modelRoutes({ models, queue }: ApiParts): FastifyPluginAsyncZod {
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
