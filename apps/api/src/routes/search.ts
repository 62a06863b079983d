import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  recommendRequestSchema,
  searchRequestSchema,
  searchResponseSchema,
  type DenseVector,
  type Hit,
  type SearchRequest,
} from '@embedmill/jobs';
import { requireCollection } from '../collections/collection.ts';
import type { ApiParts } from '../parts.ts';
import { requireModel } from '../models/model.ts';
import { problemResponses, refusedField } from '../http/problem.ts';
import type { QueryLane } from '../queries/query-lane.ts';
import { requireReranker } from '../queries/relevance.ts';
import { instructed, promptNamed } from '../models/role.ts';
import { hitsOf } from '../search/hits.ts';
import {
  nearDuplicates,
  nearDuplicatesRequestSchema,
  nearDuplicatesResponseSchema,
} from '../search/near-duplicates.ts';
import { denseVectorOf, queryVectorsOf } from '../search/query-vectors.ts';
import { recommendPoints } from '../search/recommend.ts';
import type { FoundPage } from '../search/found.ts';
import { searchPoints } from '../search/search.ts';

const tags = ['search'];
/** Room for a picture. */
const MAX_BODY_BYTES = 20 * 1024 * 1024;
const params = z.object({ name: z.string() });

export function searchRoutes({ store, models }: ApiParts, lane: QueryLane): FastifyPluginAsyncZod {
  const parts = { store, lane };
  return async (server) => {
    server.post(
      '/collections/:name/search',
      {
        config: { access: 'search' },
        bodyLimit: MAX_BODY_BYTES,
        schema: {
          tags,
          summary: 'Find the chunks that answer a query, by meaning, by words, or by both',
          params,
          body: searchRequestSchema,
          response: { 200: searchResponseSchema, ...problemResponses },
        },
      },
      async ({ body, params: { name } }) => {
        const collection = await requireCollection(store, name);
        if (typeof body.rerank === 'object' && body.rerank.model !== undefined)
          await requireReranker(models, body.rerank.model, 'rerank/model');
        const prefix = await prefixOf(body, denseVectorOf(body, collection), models);
        const questions = await queryVectorsOf(body, collection, lane, prefix);
        const page = await searchPoints(body, questions, collection, parts);
        return answerOf(await hitsOf(page.found, body, questions, collection, parts), page, body.offset);
      },
    );

    server.post(
      '/collections/:name/recommend',
      {
        config: { access: 'search' },
        schema: {
          tags,
          summary: 'Find chunks that resemble some examples and not others',
          params,
          body: recommendRequestSchema,
          response: { 200: searchResponseSchema, ...problemResponses },
        },
      },
      async ({ body, params: { name } }) => {
        const collection = await requireCollection(store, name);
        const page = await recommendPoints(body, collection, parts);
        const hits = await hitsOf(page.found, { highlight: false, explain: false }, [], collection, parts);
        return answerOf(hits, page, body.offset);
      },
    );

    server.post(
      '/collections/:name/near-duplicates',
      {
        config: { access: 'search' },
        schema: {
          tags,
          summary: 'Find documents that say nearly the same',
          params,
          body: nearDuplicatesRequestSchema,
          response: { 200: nearDuplicatesResponseSchema, ...problemResponses },
        },
      },
      async ({ body, params: { name } }) => nearDuplicates(body, await requireCollection(store, name), store),
    );
  };
}

/** The prefix that the request puts before its queries, if any. Errors: `invalid_request`. */
async function prefixOf(
  { prompt, instruction, image }: SearchRequest,
  { model: name }: DenseVector,
  models: ApiParts['models'],
): Promise<string | undefined> {
  if (prompt === undefined && instruction === undefined) return undefined;
  const path = prompt === undefined ? 'instruction' : 'prompt';
  if (image !== undefined) throw refusedField(path, 'images take no prefix; leave it out');
  const model = await requireModel(models, name, path);
  if (instruction === undefined) return prompt === undefined ? undefined : promptNamed(model, prompt, path);
  if (prompt !== undefined)
    throw refusedField('instruction', 'prompt already sets the prefix; leave one of them out');
  return instructed(model, instruction, path);
}

function answerOf(hits: Hit[], { found, isCut }: FoundPage, offset: number) {
  const isMore = isCut || hits.length < found.length;
  return { hits, ...(isMore && { next: offset + hits.length }) };
}
