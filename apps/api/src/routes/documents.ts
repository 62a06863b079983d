import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  DEFAULT_TENANT,
  EmbedmillError,
  joinedStructure,
  joinedText,
  jsonSchema,
  shortestFloats,
  SPARSE_SCHEMES,
  spokenText,
  structureSchema,
  type CollectionName,
  type DocumentId,
  type PointId,
  type TenantId,
} from '@embedmill/jobs';
import { deleteInBoth, type StoredPoint } from '@embedmill/vector-store';
import { namedTenant } from '../access/principal.ts';
import { AnswerRoom, sizeOf } from '../search/answer-size.ts';
import { requireCollection } from '../collections/collection.ts';
import { LoopShare } from '../http/loop-share.ts';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../http/problem.ts';
import type { QueryLane } from '../queries/query-lane.ts';
import { sparseTerms } from '../search/terms.ts';

const tags = ['documents'];
const params = z.object({ name: z.string() });
const tenant = z.string().min(1).max(128);

const weightedTerms = z.array(z.strictObject({ term: z.string(), weight: z.number() }));
const chunkSchema = z.strictObject({
  index: z.int(),
  start: z.int(),
  end: z.int(),
  text: z.string(),
  headings: z.array(z.string()).optional().meta({ description: 'The headings above it.' }),
  pages: z.array(z.int()).optional().meta({ description: 'The pages that it is on.' }),
  terms: z.record(z.string(), weightedTerms).meta({
    description: 'Its sparse vectors as words, by scheme, heaviest first.',
  }),
});
const documentSchema = z
  .strictObject({
    id: z.string(),
    tenant: z.string(),
    title: z.string().nullable(),
    text: z.string().meta({
      description:
        'Its text, joined from its chunks. White space between chunks may differ from the original.',
    }),
    image: z.string().nullable(),
    video: z.string().nullable(),
    source: z.string().nullable().meta({ description: 'The source that it belongs to, if it names one.' }),
    metadata: z.record(z.string(), jsonSchema),
    structure: structureSchema.optional(),
    chunks: z.array(chunkSchema),
    next: z.int().optional().meta({
      description: 'Set if the document has more chunks than fit into the response: pass this as `from`.',
    }),
  })
  .meta({ id: 'StoredDocument', description: 'A stored document, which can be submitted again unchanged.' });

const pointSchema = z
  .strictObject({
    point: z.string(),
    id: z.string().meta({ description: 'The document’s id.' }),
    tenant: z
      .string()
      .optional()
      .meta({ description: 'The owning tenant, shown to keys that are not bound to a tenant.' }),
    chunk: z.int(),
    chunks: z.int().meta({
      description: 'The number of chunks of its document. If it is 1, the point can be submitted again.',
    }),
    title: z.string().nullable(),
    text: z.string(),
    image: z.string().nullable(),
    video: z.string().nullable(),
    source: z.string().nullable(),
    metadata: z.record(z.string(), jsonSchema),
    dense: z.string().meta({ description: 'The dense vector: little-endian float32 in base64.' }),
  })
  .meta({ id: 'StoredPoint' });

const pointsPage = z
  .strictObject({
    points: z.array(pointSchema),
    next: z
      .string()
      .nullable()
      .meta({ description: 'Pass this as `after` for the next page; null at the end.' }),
  })
  .meta({ id: 'StoredPoints' });

/** Points per read. */
const SCAN = 100;

/** Stored content: a document with its text, and a collection's points page by page. */
export function documentRoutes({ store, queue }: ApiParts, lane: QueryLane): FastifyPluginAsyncZod {
  return async (server) => {
    server.get(
      '/collections/:name/documents/:id',
      {
        config: { access: 'search' },
        schema: {
          tags,
          summary: 'Get a document with the words of its sparse vectors',
          params: params.extend({ id: z.string() }),
          querystring: z.strictObject({
            tenant: tenant.default(DEFAULT_TENANT),
            from: z.coerce
              .number()
              .int()
              .min(0)
              .default(0)
              .meta({ description: 'The first chunk to return.' }),
          }),
          response: { 200: documentSchema, ...problemResponses },
        },
      },
      async (request) => {
        const collection = await requireCollection(store, request.params.name);
        const key = { tenant: request.query.tenant as TenantId, id: request.params.id as DocumentId };
        const points = await store.getPoints(collection.name as CollectionName, [key]);
        const [first] = points;
        if (first === undefined) {
          const message = `the collection ${collection.name} has no document ${JSON.stringify(key.id)}`;
          throw new EmbedmillError('document_not_found', message);
        }
        const { tenant, title, source = null, metadata } = first.payload;
        const share = new LoopShare();
        const room = new AnswerRoom();
        const chunks: z.infer<typeof chunkSchema>[] = [];
        let next: number | undefined;
        for (const point of points) {
          await share.step();
          const { chunk_index: index, start, end, text, structure: own } = point.payload;
          if (index < request.query.from) continue;
          if (!room.take(sizeOf({ text }) + sizeOfTerms(point))) {
            next = index;
            break;
          }
          chunks.push({
            index,
            start,
            end,
            text,
            headings: own?.headings && [...own.headings],
            pages: own?.pages?.map(({ number }) => number),
            terms: await termsOf(point),
          });
        }
        const text = joinedText(points.map(({ payload }) => payload));
        const pictures = picturesOf(first.payload);
        const structure = joinedStructure(points.map(({ payload }) => payload));
        return { id: key.id, tenant, title, text, ...pictures, source, metadata, structure, chunks, next };

        async function termsOf(point: StoredPoint) {
          const terms: Record<string, { term: string; weight: number }[]> = {};
          for (const scheme of SPARSE_SCHEMES) {
            const vector = point.sparse?.[scheme];
            if (vector === undefined) continue;
            const texts = [spokenText(point.payload)];
            const names = await sparseTerms(scheme, new Set(vector.indices), texts, collection, lane);
            const weights = shortestFloats(vector.values);
            terms[scheme] = Array.from(vector.indices, (id, n) => ({
              term: names.get(id) ?? `#${id}`,
              weight: weights[n] ?? 0,
            })).toSorted((a, b) => b.weight - a.weight);
          }
          return terms;
        }
      },
    );

    server.delete(
      '/collections/:name/documents/:id',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Delete a document',
          params: params.extend({ id: z.string() }),
          querystring: z.strictObject({ tenant: tenant.default(DEFAULT_TENANT) }),
          response: {
            204: z.null().describe('The document does not exist, or no longer exists.'),
            ...problemResponses,
          },
        },
      },
      async (request, reply) => {
        const collection = await requireCollection(store, request.params.name);
        const name = collection.name as CollectionName;
        const key = { tenant: request.query.tenant as TenantId, id: request.params.id as DocumentId };
        await queue.inOrder(name, (sequence) => deleteInBoth(store, collection, [key], sequence));
        return reply.code(204).send(null);
      },
    );

    server.get(
      '/collections/:name/points',
      {
        config: { access: 'search' },
        schema: {
          tags,
          summary:
            'List all points with their dense vectors, page by page; fewer than `limit` if they are large',
          params,
          querystring: z.strictObject({
            limit: z.coerce.number().int().min(1).max(1000).default(500),
            after: z.uuid().optional(),
            tenant: tenant.optional(),
          }),
          response: {
            200: pointsPage,
            ...problemResponses,
          },
        },
      },
      async ({ query, params: { name } }) => {
        const collection = await requireCollection(store, name);
        const { limit, after } = query;
        const room = new AnswerRoom();
        const points: z.infer<typeof pointSchema>[] = [];
        let last = after;
        while (points.length < limit) {
          const asked = Math.min(limit - points.length, SCAN);
          const found = await store.scanPoints(collection.name as CollectionName, {
            limit: asked,
            after: last as PointId | undefined,
            tenant: query.tenant as TenantId | undefined,
          });
          for (const point of found) {
            const { id, dense, payload } = point;
            if (!room.take(sizeOf(payload) + dense.byteLength * 2)) return { points, next: last ?? null };
            points.push(pointOf(point));
            last = id;
          }
          if (found.length < asked) return { points, next: null };
        }
        return { points, next: last ?? null };
      },
    );
  };
}

/** Characters that a term with its weight takes in a response. */
const CHARACTERS_A_TERM = 48;

function sizeOfTerms({ sparse = {} }: StoredPoint): number {
  const terms = Object.values(sparse).reduce((sum, vector) => sum + (vector?.indices.length ?? 0), 0);
  return terms * CHARACTERS_A_TERM;
}

/** The image of a point as the document named it; for a frame, this is its video. */
function picturesOf({ image, timestamp }: StoredPoint['payload']): {
  image: string | null;
  video: string | null;
} {
  return timestamp === null ? { image, video: null } : { image: null, video: image };
}

function pointOf({ id, dense, payload }: StoredPoint): z.infer<typeof pointSchema> {
  return {
    point: id,
    id: payload.document_id,
    ...namedTenant(payload.tenant),
    chunk: payload.chunk_index,
    chunks: payload.chunk_count,
    title: payload.title,
    text: payload.text,
    ...picturesOf(payload),
    source: payload.source ?? null,
    metadata: payload.metadata,
    dense: Buffer.from(dense.buffer, dense.byteOffset, dense.byteLength).toString('base64'),
  };
}
