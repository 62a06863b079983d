import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { EmbedmillError } from '@embedmill/jobs';
import { requireCollection } from '../collections/collection.ts';
import { mapPointsSchema, mapRequestSchema, mapStateSchema } from '../map/collection-map.ts';
import { readMapState } from '../map/kept-map.ts';
import type { MapTasks } from '../map/map-tasks.ts';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../http/problem.ts';

const tags = ['map'];
const params = z.object({ name: z.string() });

/** A two-dimensional map of a collection, on which documents with similar meaning are close together. */
export function mapRoutes({ store, spool }: ApiParts, tasks: MapTasks): FastifyPluginAsyncZod {
  return async (server) => {
    server.post(
      '/collections/:name/map',
      {
        config: { access: 'search' },
        schema: {
          tags,
          summary: 'Compute or update the map of a collection, with the documents that the key can access',
          params,
          body: mapRequestSchema,
          response: { 202: mapStateSchema, ...problemResponses },
        },
      },
      async (request, reply) => {
        const collection = await requireCollection(store, request.params.name);
        return reply.code(202).send(await tasks.start(collection, request.body));
      },
    );

    server.get(
      '/collections/:name/map',
      {
        config: { access: 'search' },
        schema: {
          tags,
          summary: 'Get the state of a collection’s map',
          params,
          response: { 200: mapStateSchema, ...problemResponses },
        },
      },
      async (request) => {
        const collection = await requireCollection(store, request.params.name);
        return readMapState(spool.maps, collection, Date.now());
      },
    );

    server.get(
      '/collections/:name/map/points',
      {
        config: { access: 'search' },
        schema: {
          tags,
          summary: 'Get the points of a collection’s map',
          params,
          response: { 200: mapPointsSchema, ...problemResponses },
        },
      },
      async (request, reply) => {
        const collection = await requireCollection(store, request.params.name);
        const points = await spool.maps.find(collection, 'points');
        if (points === undefined) {
          const message = `there is no map of ${collection.name} yet; compute one by POST to /api/v1/collections/${collection.name}/map`;
          throw new EmbedmillError('not_found', message);
        }
        return reply.type('application/json').send(points as never);
      },
    );
  };
}
