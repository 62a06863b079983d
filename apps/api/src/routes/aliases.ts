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
  .meta({ id: 'Alias', description: 'A name that stands for a collection, in every address.' });

/** Names that stand for collections and can be moved in one step. */
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
          summary: 'Let an alias stand for a collection, from this moment on',
          params,
          body: z.strictObject({ collection: z.string().min(1) }),
          response: { 200: aliasSchema, ...problemResponses },
        },
      },
      async ({ params: { name }, body }) => {
        const collection = (await requireByOwnName(store, body.collection)).name;
        await store.moveAlias(name as CollectionName, collection as CollectionName);
        log.info({ alias: name, collection }, 'an alias was moved');
        return { name, collection };
      },
    );

    server.delete(
      '/aliases/:name',
      {
        config: { access: 'admin' },
        schema: {
          tags,
          summary: 'Remove an alias; its collection stays',
          params,
          response: { 204: z.null().describe('It is not there, or no longer.'), ...problemResponses },
        },
      },
      async ({ params: { name } }, reply) => {
        await store.moveAlias(name as CollectionName, null);
        log.info({ alias: name }, 'an alias was removed');
        return reply.code(204).send(null);
      },
    );
  };
}
