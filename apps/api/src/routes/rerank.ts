import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ApiParts } from '../parts.ts';
import { answerErrorsAs, refusedField } from '../http/problem.ts';
import type { QueryLane } from '../queries/query-lane.ts';
import {
  documentErrorSchema,
  documentRerankSchema,
  rerankDocuments,
  rerankedSchema,
  type DocumentRerank,
} from '../compatible/rerank-documents.ts';
import { pairRelevances, type Pair } from '../queries/relevance.ts';

const BODY_BYTES = 16 * 1024 * 1024;
const MAX_PAIRS = 1000;
const errors = { '4xx': documentErrorSchema, '5xx': documentErrorSchema };

const oneOrMany = z.union([z.string(), z.array(z.string()).min(1).max(MAX_PAIRS)]);
const scoreSchema = z.strictObject({
  model: z.string().optional().meta({ description: 'A reranker, or a dense model for late interaction.' }),
  text_1: oneOrMany.meta({ description: 'One query, or as many queries as texts.' }),
  text_2: oneOrMany,
  user: z.unknown().optional(),
});
const scoresSchema = z.strictObject({
  id: z.string(),
  object: z.literal('list'),
  created: z.int(),
  model: z.string(),
  data: z.array(z.strictObject({ index: z.int(), object: z.literal('score'), score: z.number() })),
  usage: z.strictObject({ prompt_tokens: z.int(), total_tokens: z.int() }),
});

/** Reranking of `documents`, for which Cohere, Jina, vLLM and Infinity share their paths, and vLLM's scoring of pairs. */
export function rerankRoutes(parts: ApiParts, lane: QueryLane): FastifyPluginAsyncZod {
  return async (server) => {
    answerErrorsAs(server, parts.log, (_error, message) => ({ message, detail: message }));
    for (const version of ['1', '2']) {
      server.post(
        `/v${version}/rerank`,
        {
          config: { access: 'search' },
          bodyLimit: BODY_BYTES,
          schema: {
            tags: ['cohere'],
            summary: 'Score how well each document answers the query, best first',
            body: documentRerankSchema,
            response: { 200: rerankedSchema, ...errors },
          },
        },
        async ({ body }) => ({
          ...(await rerankDocuments(body satisfies DocumentRerank, parts, lane)),
          meta: { api_version: { version } },
        }),
      );
    }

    for (const path of ['/score', '/v1/score']) {
      server.post(
        path,
        {
          config: { access: 'search' },
          bodyLimit: BODY_BYTES,
          schema: {
            tags: ['vllm'],
            summary: 'Score how well texts answer queries, pair by pair',
            body: scoreSchema,
            response: { 200: scoresSchema, ...errors },
          },
        },
        async ({ body }) => {
          const pathOf = (n: number, part: keyof Pair) => {
            const field = part === 'query' ? 'text_1' : 'text_2';
            return typeof body[field] === 'string' ? field : `${field}/${n}`;
          };
          const pairs = pairsOf(body);
          const { model, scores, tokens } = await pairRelevances(
            pairs,
            { model: body.model, whole: false, pathOf },
            parts,
            lane,
          );
          return {
            id: `score-${randomUUID()}`,
            object: 'list' as const,
            model,
            created: Math.floor(Date.now() / 1000),
            data: scores.map(({ index, probability }) => ({
              index,
              object: 'score' as const,
              score: probability,
            })),
            usage: { prompt_tokens: tokens, total_tokens: tokens },
          };
        },
      );
    }
  };
}

/** Pairs one query with every text, or each query with its own text. */
function pairsOf({ text_1: first, text_2: second }: z.output<typeof scoreSchema>): Pair[] {
  const texts = [second].flat();
  const queries = typeof first === 'string' ? texts.map(() => first) : first;
  if (queries.length === 1) return texts.map((text) => ({ query: queries[0] ?? '', text }));
  if (queries.length !== texts.length)
    throw refusedField(
      'text_1',
      `it has ${queries.length} entries, but text_2 has ${texts.length}; give the same number, or one`,
    );
  return queries.map((query, n) => ({ query, text: texts[n] ?? '' }));
}
