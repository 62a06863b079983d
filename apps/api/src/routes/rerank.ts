import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ignoredBy } from '../compatible-fields.ts';
import type { ApiParts } from '../parts.ts';
import { answerErrorsAs } from '../problem.ts';
import type { QueryLane } from '../query-lane.ts';
import { relevanceOf } from '../relevance.ts';

const documentSchema = z.union([z.string(), z.looseObject({ text: z.string() })], {
  error: 'must be a text, or an object with a "text"',
});
const requestSchema = z.strictObject({
  model: z.string().optional().meta({ description: 'A reranker, or a dense model for late interaction.' }),
  query: z.string(),
  documents: z.array(documentSchema).min(1).max(1000),
  top_n: z.int().positive().optional(),
  return_documents: z.boolean().default(false),
  rank_fields: z
    .tuple([z.literal('text')], { error: 'documents are ranked by their "text" alone; leave it out' })
    .optional(),
  max_chunks_per_doc: z.int().positive().optional().meta({ description: 'Documents are not chunked here.' }),
  max_tokens_per_doc: z.int().positive().optional().meta({
    description: 'As many as the model reads, or more: it reads what it can.',
  }),
  ...ignoredBy('cohere'),
});
const responseSchema = z.strictObject({
  id: z.string(),
  results: z.array(
    z.strictObject({
      index: z.int(),
      relevance_score: z.number(),
      document: z.looseObject({ text: z.string() }).optional(),
    }),
  ),
  meta: z.strictObject({ api_version: z.strictObject({ version: z.string() }) }),
});
const errorSchema = z.strictObject({ message: z.string() });

/** Cohere's shape of reranking, under the paths of both of its versions. */
export function rerankRoutes(parts: ApiParts, lane: QueryLane): FastifyPluginAsyncZod {
  return async (server) => {
    answerErrorsAs(server, parts.log, (_error, message) => ({ message }));
    for (const version of ['1', '2']) {
      server.post(
        `/v${version}/rerank`,
        {
          config: { access: 'search' },
          bodyLimit: 16 * 1024 * 1024,
          schema: {
            ...{ tags: ['cohere'], summary: 'How well each document answers the query, the best first' },
            body: requestSchema,
            response: { 200: responseSchema, '4xx': errorSchema, '5xx': errorSchema },
          },
        },
        async ({ body }) => {
          const documents = body.documents.map((one) => (typeof one === 'string' ? { text: one } : one));
          const ranked = await relevanceOf(
            {
              model: body.model,
              query: body.query,
              texts: documents.map(({ text }) => text),
              whole: false,
              tokensPerText: body.max_tokens_per_doc,
              paths: { texts: 'documents' },
            },
            parts,
            lane,
          );
          return {
            id: randomUUID(),
            results: ranked.slice(0, body.top_n).map(({ index, probability }) => ({
              ...{ index, relevance_score: probability },
              ...(body.return_documents && { document: documents[index] ?? { text: '' } }),
            })),
            meta: { api_version: { version } },
          };
        },
      );
    }
  };
}
