import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  collectionNameSchema,
  LEAST_BINARY,
  profileSchema,
  type CollectionName,
  type JobId,
} from '@embedmill/jobs';
import {
  collectionView,
  collectionViewSchema,
  countedCollection,
  countedCollectionSchema,
  createCollection,
  requireByOwnName,
  requireCollection,
} from '../collections/collection.ts';
import { leaveTwin } from '../collections/copying.ts';
import {
  addedFieldSchema,
  FieldAdditions,
  fieldProgressSchema,
  fieldReportSchema,
} from '../collections/added-field.ts';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../http/problem.ts';

const tags = ['collections'];
const params = z.object({ name: z.string() });

export function collectionRoutes(parts: ApiParts): FastifyPluginAsyncZod {
  const { store, queue, spool, log } = parts;
  const fields = new FieldAdditions(store);
  return async (server) => {
    server.post(
      '/collections',
      {
        config: { access: 'admin' },
        schema: {
          tags,
          summary: 'Create a collection',
          body: z.strictObject({ name: collectionNameSchema, profile: profileSchema.prefault({}) }),
          response: {
            201: collectionViewSchema.describe('Created.'),
            200: collectionViewSchema.describe('The collection already exists with the same profile.'),
            ...problemResponses,
          },
        },
      },
      async (request, reply) => {
        const { name, profile } = request.body;
        const { collection, created } = await createCollection(parts, name, profile);
        const { dims } = collection;
        if (created && profile.storage === 'binary' && dims < LEAST_BINARY)
          log.warn(
            { collection: name, dims },
            'binary vectors this short miss some of the nearest neighbours',
          );
        reply.header('location', `/api/v1/collections/${name}`);
        return reply.code(created ? 201 : 200).send(await collectionView(store, collection));
      },
    );

    server.get(
      '/collections',
      {
        config: { access: 'any' },
        schema: {
          tags,
          summary: 'All collections',
          response: {
            200: z.strictObject({ collections: z.array(collectionViewSchema) }),
            ...problemResponses,
          },
        },
      },
      async () => {
        const found = await store.listCollections();
        return {
          collections: await Promise.all(found.map((collection) => collectionView(store, collection))),
        };
      },
    );

    server.get(
      '/collections/:name',
      {
        config: { access: 'any' },
        schema: {
          tags,
          summary: 'One collection',
          params,
          response: { 200: countedCollectionSchema, ...problemResponses },
        },
      },
      async (request) => countedCollection(store, await requireCollection(store, request.params.name)),
    );

    server.post(
      '/collections/:name/filterable',
      {
        config: { access: 'admin' },
        schema: {
          tags,
          summary: 'Make a metadata field filterable, and check the stored values of that field',
          params,
          body: addedFieldSchema,
          response: {
            200: fieldReportSchema,
            202: fieldProgressSchema.describe('The check is in progress; repeat the request to follow it.'),
            ...problemResponses,
          },
        },
      },
      async ({ body, params: { name } }, reply) => {
        const answer = await fields.add(name, body);
        return reply.code('values' in answer ? 200 : 202).send(answer);
      },
    );

    server.delete(
      '/collections/:name',
      {
        config: { access: 'admin' },
        schema: {
          tags,
          summary: 'Delete a collection and cancel its jobs',
          params,
          response: { 204: z.null().describe('Deleted.'), ...problemResponses },
        },
      },
      async (request, reply) => {
        const { name, twin } = await requireByOwnName(store, request.params.name);
        await cancelJobs(name);
        await store.deleteCollection(name as CollectionName);
        await spool.maps.removeAll(name);
        await leaveTwin(store, name, twin);
        log.info({ collection: name }, 'deleted a collection');
        return reply.code(204).send(null);
      },
    );

    /** Otherwise a running job would continue into a new collection of the same name. */
    async function cancelJobs(collection: string): Promise<void> {
      for (const job of await queue.unfinishedJobs(collection)) {
        await queue.cancel(job.id as JobId).catch((error: unknown) => {
          log.warn({ err: error, job: job.id }, 'cannot cancel a job of a deleted collection');
        });
      }
    }
  };
}
