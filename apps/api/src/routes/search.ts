import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  searchRequestSchema,
  searchResponseSchema,
  type CollectionName,
  type Hit,
  type TenantId,
} from '@embedmill/jobs';
import type { ScoredPoint } from '@embedmill/vector-store';
import { requireCollection } from '../collection.ts';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../problem.ts';
import { checkText, type QueryLane } from '../query-lane.ts';

export function searchRoutes({ store }: ApiParts, lane: QueryLane): FastifyPluginAsyncZod {
  return async (server) => {
    server.post(
      '/collections/:name/search',
      {
        schema: {
          ...{ tags: ['search'], summary: 'Find the chunks that mean what the query says' },
          params: z.object({ name: z.string() }),
          body: searchRequestSchema,
          response: { 200: searchResponseSchema, ...problemResponses },
        },
      },
      async (request) => {
        const { query, limit, offset, filter, tenant } = request.body;
        const { name, profile } = await requireCollection(store, request.params.name);
        checkText(query, 'query');
        const { vectors } = await lane.embed({ model: profile.model, inputs: [query], kind: 'query' });
        const points = await store.search(name as CollectionName, {
          ...{ dense: vectors, limit, offset, filter },
          tenant: tenant as TenantId | undefined,
        });
        return { hits: points.map(hitOf) };
      },
    );
  };
}

function hitOf({ score, payload }: ScoredPoint): Hit {
  const { document_id: id, text, title, metadata, chunk_index, chunk_count, start, end } = payload;
  return { id, score, text, title, metadata, chunk: { index: chunk_index, count: chunk_count, start, end } };
}
