import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { filterSchema, jsonSchema, type CollectionName, type PointId, type TenantId } from '@embedmill/jobs';
import { namedTenant } from '../access/principal.ts';
import { requireCollection } from '../collections/collection.ts';
import { jsonParameter } from '../http/json-parameter.ts';
import { problemResponses } from '../http/problem.ts';
import type { ApiParts } from '../parts.ts';
import { AnswerRoom, sizeOf } from '../search/answer-size.ts';

const listedSchema = z
  .strictObject({
    id: z.string(),
    tenant: z
      .string()
      .optional()
      .meta({ description: 'The owning tenant, shown to keys that are not bound to a tenant.' }),
    title: z.string().nullable(),
    text: z.string().meta({ description: 'The text of its first chunk.' }),
    chunks: z.int().meta({ description: 'The number of its chunks.' }),
    source: z.string().nullable(),
    metadata: z.record(z.string(), jsonSchema),
  })
  .meta({ id: 'ListedDocument' });

const documentsPage = z
  .strictObject({
    documents: z.array(listedSchema),
    next: z
      .string()
      .nullable()
      .meta({ description: 'Pass this as `after` for the next page; null at the end.' }),
  })
  .meta({ id: 'ListedDocuments' });

/** Lists a collection's documents page by page, optionally filtered. */
export function documentListRoutes({ store }: ApiParts): FastifyPluginAsyncZod {
  return async (server) => {
    server.get(
      '/collections/:name/documents',
      {
        config: { access: 'search' },
        schema: {
          tags: ['documents'],
          summary: 'List the documents, optionally those that match a filter, page by page',
          params: z.object({ name: z.string() }),
          querystring: z.strictObject({
            filter: jsonParameter('{"field":"year","gte":1900}').pipe(filterSchema.optional()).meta({
              description: 'A filter as in searches, as JSON.',
            }),
            limit: z.coerce.number().int().min(1).max(1000).default(100),
            after: z.uuid().optional(),
            tenant: z.string().min(1).max(128).optional(),
          }),
          response: { 200: documentsPage, ...problemResponses },
        },
      },
      async ({ query, params }) => {
        const collection = await requireCollection(store, params.name);
        const name = collection.name as CollectionName;
        const { filter, limit } = query;
        const tenant = query.tenant as TenantId | undefined;
        const after = query.after as PointId | undefined;
        const found = await store.scanDocuments(name, { filter, limit, after, tenant });
        const payloads = await store.getPayloads(
          name,
          found.map(({ point }) => point),
        );
        const room = new AnswerRoom();
        const documents: z.infer<typeof listedSchema>[] = [];
        let last = query.after ?? null;
        for (const { point } of found) {
          const payload = payloads.get(point);
          if (payload !== undefined) {
            if (!room.take(sizeOf(payload))) return { documents, next: last };
            const { document_id: id, title, text, chunk_count: chunks, source = null, metadata } = payload;
            documents.push({ id, ...namedTenant(payload.tenant), title, text, chunks, source, metadata });
          }
          last = point;
        }
        return { documents, next: found.length < limit ? null : last };
      },
    );
  };
}
