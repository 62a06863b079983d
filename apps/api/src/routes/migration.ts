import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { jobSchema } from '@embedmill/jobs';
import { collectionView, collectionViewSchema } from '../collection.ts';
import { beginMigration, endMigration, exchangeVectors } from '../migration.ts';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../problem.ts';
import type { Submission } from '../submission.ts';

const tags = ['migration'];
const params = z.object({ name: z.string() });
const bodySchema = z.strictObject({
  model: z.string().min(1).meta({ description: 'The dense model to go to.' }),
  dims: z.int().positive().optional().meta({ description: 'A smaller size of its vectors.' }),
});

export function migrationRoutes(parts: ApiParts, submission: Submission): FastifyPluginAsyncZod {
  const { store } = parts;
  return async (server) => {
    server.post(
      '/collections/:name/migration',
      {
        config: { access: 'admin' },
        schema: {
          ...{ tags, summary: 'Begin: a second dense vector, added to what is stored by a job', params },
          body: bodySchema,
          response: {
            202: z.strictObject({ collection: collectionViewSchema, job: jobSchema }),
            ...problemResponses,
          },
        },
      },
      async ({ params: { name }, body }, reply) => {
        const { collection, job } = await beginMigration(name, body, parts, submission);
        return reply.code(202).send({ collection: await collectionView(store, collection), job });
      },
    );

    server.post(
      '/collections/:name/migration/exchange',
      {
        config: { access: 'admin' },
        schema: {
          ...{ tags, summary: 'Cut over, or roll back: searches use the other vector', params },
          response: { 200: collectionViewSchema, ...problemResponses },
        },
      },
      async ({ params: { name } }) => collectionView(store, await exchangeVectors(name, parts)),
    );

    server.delete(
      '/collections/:name/migration',
      {
        config: { access: 'admin' },
        schema: {
          ...{ tags, summary: 'End: the vector that searches do not use is dropped', params },
          response: { 200: collectionViewSchema, ...problemResponses },
        },
      },
      async ({ params: { name } }) => collectionView(store, await endMigration(name, parts)),
    );
  };
}
