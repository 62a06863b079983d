import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { collectionNameSchema, type CollectionName } from '@embedmill/jobs';
import { requireByOwnName } from '../collections/collection.ts';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../http/problem.ts';

const tags = ['aliases'];
const params = z.object({ name: collectionNameSchema });
const aliasSchema = z
  .strictObject({ name: z.string(), collection: z.string() })
  .meta({ id: 'Alias', description: 'A name that can be used for a collection in every route.' });

/** Aliases: names that stand for collections and can be switched atomically. */
export function aliasRoutes({ store, log }: ApiParts): FastifyPluginAsyncZod {
  return async (server) => {
    server.get(
      '/aliases',
      {
        config: { access: 'any' },
        schema: {
          tags,
          summary: 'All aliases',
          response: { 200: z.strictObject({ aliases: z.array(aliasSchema) }), ...problemResponses },
        },
      },
      async () => {
        const [aliases, collections] = await Promise.all([store.listAliases(), store.listCollections()]);
        const ours = new Set(collections.map(({ name }) => name));
        return { aliases: aliases.filter(({ collection }) => ours.has(collection)) };
      },
    );

    server.put(
      '/aliases/:name',
      {
        config: { access: 'admin' },
        schema: {
          tags,
          summary: 'Point an alias to a collection, effective immediately',
          params,
          body: z.strictObject({ collection: z.string().min(1) }),
          response: { 200: aliasSchema, ...problemResponses },
        },
      },
      async ({ params: { name }, body }) => {
        const collection = (await requireByOwnName(store, body.collection)).name;
        await store.moveAlias(name as CollectionName, collection as CollectionName);
        log.info({ alias: name, collection }, 'moved an alias');
        return { name, collection };
      },
    );

    server.delete(
      '/aliases/:name',
      {
        config: { access: 'admin' },
        schema: {
          tags,
          summary: 'Remove an alias; its collection is kept',
          params,
          response: {
            204: z.null().describe('The alias does not exist, or no longer exists.'),
            ...problemResponses,
          },
        },
      },
      async ({ params: { name } }, reply) => {
        await store.moveAlias(name as CollectionName, null);
        log.info({ alias: name }, 'removed an alias');
        return reply.code(204).send(null);
      },
    );
  };
}
