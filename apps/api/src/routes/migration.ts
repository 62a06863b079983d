import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { collectionNameSchema, profileSchema } from '@embedmill/jobs';
import { collectionView, collectionViewSchema, requireCollection } from '../collections/collection.ts';
import { beginCopy, endCopy, exchangeAliases, type CopyChanges } from '../collections/copying.ts';
import { beginMigration, endMigration, exchangeVectors } from '../collections/migration.ts';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../http/problem.ts';
import type { Submission } from '../ingest/submission.ts';
import { jobView } from './jobs.ts';

const tags = ['migration'];
const params = z.object({ name: z.string() });
const toModelSchema = z.strictObject({
  model: z.string().min(1).meta({ description: 'The dense model to migrate to.' }),
  dims: z.int().positive().optional().meta({ description: 'A smaller size for its vectors.' }),
});
const { chunking, sparse, storage, lateInteraction } = profileSchema.shape;
const toCollectionSchema = z.strictObject({
  into: collectionNameSchema.meta({ description: 'The new collection’s name.' }),
  profile: z
    .strictObject({
      chunking: chunking.unwrap().optional(),
      sparse: sparse.unwrap().optional(),
      storage: storage.unwrap().optional(),
      lateInteraction: lateInteraction.unwrap().nullable().optional().meta({ description: 'Null: none.' }),
    })
    .meta({ description: 'The changes to the profile.' }),
});

export function migrationRoutes(parts: ApiParts, submission: Submission): FastifyPluginAsyncZod {
  const { store } = parts;
  return async (server) => {
    server.post(
      '/collections/:name/migration',
      {
        config: { access: 'admin' },
        schema: {
          tags,
          summary: 'Begin a migration: a job adds a second dense vector, or fills a second collection',
          params,
          body: z.union([toModelSchema, toCollectionSchema]),
          response: {
            202: z.strictObject({ collection: collectionViewSchema, job: jobView }),
            ...problemResponses,
          },
        },
      },
      async ({ params: { name }, body }, reply) => {
        const { collection, job } =
          'into' in body
            ? await beginCopy(name, { into: body.into, changes: defined(body.profile) }, parts, submission)
            : await beginMigration(name, body, parts, submission);
        return reply.code(202).send({ collection: await collectionView(store, collection), job });
      },
    );

    server.post(
      '/collections/:name/migration/exchange',
      {
        config: { access: 'admin' },
        schema: {
          tags,
          summary: 'Cut over or roll back: searches then use the other vector or collection',
          params,
          response: { 200: collectionViewSchema, ...problemResponses },
        },
      },
      async ({ params: { name } }) => {
        const collection = await requireCollection(store, name);
        const exchanged =
          collection.twin === undefined ? exchangeVectors(name, parts) : exchangeAliases(collection, parts);
        return collectionView(store, await exchanged);
      },
    );

    server.delete(
      '/collections/:name/migration',
      {
        config: { access: 'admin' },
        schema: {
          tags,
          summary: 'End a migration: the vector or collection that searches do not use is deleted',
          params,
          response: { 200: collectionViewSchema, ...problemResponses },
        },
      },
      async ({ params: { name } }) => {
        const collection = await requireCollection(store, name);
        const ended = collection.twin === undefined ? endMigration(name, parts) : endCopy(collection, parts);
        return collectionView(store, await ended);
      },
    );
  };
}

type Asked = {
  [Field in keyof CopyChanges]:
    CopyChanges[Field] | (Field extends 'lateInteraction' ? null : never) | undefined;
};

/** Drops undefined fields, which are taken from the source collection. */
function defined({ chunking, sparse, storage, lateInteraction }: Asked): CopyChanges {
  return {
    ...(chunking !== undefined && { chunking }),
    ...(sparse !== undefined && { sparse }),
    ...(storage !== undefined && { storage }),
    ...(lateInteraction !== undefined && { lateInteraction: lateInteraction ?? undefined }),
  };
}
