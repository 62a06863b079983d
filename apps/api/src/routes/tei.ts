import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { profileSchema, shortestFloats } from '@embedmill/jobs';
import { dimsOf } from '@embedmill/models';
import type { ApiParts } from '../parts.ts';
import { answerErrorsAs } from '../http/problem.ts';
import { checkText, headAt, unscaled, vectorAt, type QueryLane } from '../queries/query-lane.ts';
import { documentRerankSchema, rerankDocuments, rerankedSchema } from '../compatible/rerank-documents.ts';
import { relevanceOf } from '../queries/relevance.ts';
import {
  askedTei,
  endKept,
  errorType,
  inputs,
  pairReading,
  reading,
  refuseLeft,
  refuseUnread,
  similaritySchema,
  TEI_OPTIONS,
  teiErrors,
  teiInputs,
} from '../compatible/tei-shapes.ts';

const tags = ['tei'];
const SPARSE = profileSchema.parse({ sparse: { splade: {} } }).sparse.splade?.model ?? '';

const embedSchema = z.strictObject({
  inputs,
  ...reading,
  normalize: z.boolean().default(true).meta({
    description: 'Whether vectors are normalised to length 1; otherwise they stay as the model gives them.',
  }),
  dimensions: z.int().positive().optional(),
});
const sparseSchema = z.strictObject({
  inputs: z.union([z.string(), z.array(z.string()).min(1).max(2048)]),
  ...reading,
});
const rerankSchema = z.strictObject({
  query: z.string(),
  texts: z.array(z.string()).min(1).max(1000),
  ...pairReading,
  return_text: z.boolean().default(false),
});
const rankSchema = z.strictObject({ index: z.int(), score: z.number(), text: z.string().optional() });
const vectorsSchema = z.array(z.array(z.number()));
const similaritiesSchema = z.array(z.number());

/** The endpoints of text-embeddings-inference that run a model, compatible with its clients. */
export function teiRoutes(parts: ApiParts, lane: QueryLane): FastifyPluginAsyncZod {
  const { log } = parts;
  return async (server) => {
    // Clients that rank documents read the error's `message` or `detail`.
    answerErrorsAs(server, log, ({ code }, error, { body }) =>
      typeof body === 'object' && body !== null && 'documents' in body
        ? { message: error, detail: error }
        : { error, error_type: errorType(code) },
    );

    server.post(
      '/embed',
      {
        ...TEI_OPTIONS,
        schema: {
          tags,
          summary: 'Embed texts immediately',
          body: embedSchema,
          response: { 200: vectorsSchema, ...teiErrors },
        },
      },
      async ({ body }) => embed(body),
    );

    server.post(
      '/similarity',
      {
        ...TEI_OPTIONS,
        schema: {
          tags,
          summary: 'Score the similarity of sentences to one sentence',
          body: similaritySchema,
          response: { 200: similaritiesSchema, ...teiErrors },
        },
      },
      async ({ body }) => compare(body),
    );

    // Hugging Face's clients send every request to the root of the server's URL.
    server.post(
      '/',
      {
        ...TEI_OPTIONS,
        schema: {
          tags,
          summary: 'The same as /embed or /similarity',
          body: z.union([embedSchema, similaritySchema]),
          response: { 200: z.union([vectorsSchema, similaritiesSchema]), ...teiErrors },
        },
      },
      async ({ body }) => (isSimilarity(body) ? compare(body) : embed(body)),
    );

    server.post(
      '/embed_sparse',
      {
        ...TEI_OPTIONS,
        schema: {
          tags,
          summary: 'Weigh the terms of texts immediately',
          body: sparseSchema,
          response: {
            200: z.array(z.array(z.strictObject({ index: z.int(), value: z.number() }))),
            ...teiErrors,
          },
        },
      },
      async ({ body }) => {
        const { model, role, prefix } = await askedTei(body, parts, 'sparse', SPARSE);
        const texts = [body.inputs].flat();
        for (const [n, text] of texts.entries()) checkText(text, `inputs/${n}`);
        const keep = endKept(body.truncation_direction);
        const result = await lane.ask({
          task: 'sparse',
          model: model.name,
          inputs: texts,
          role,
          prefix,
          keep,
        });
        refuseUnread(result, body.truncate, model);
        return result.vectors.map(({ indices, values }) => {
          const weights = shortestFloats(values);
          return Array.from(indices, (index, n) => ({ index, value: weights[n] ?? 0 }));
        });
      },
    );

    server.post(
      '/rerank',
      {
        config: { access: 'search' },
        bodyLimit: TEI_OPTIONS.bodyLimit,
        schema: {
          tags,
          summary:
            'Score how well each text answers the query, best first; with `documents`, the same as /v1/rerank',
          body: z.union([rerankSchema, documentRerankSchema]),
          response: { 200: z.union([z.array(rankSchema), rerankedSchema]), ...teiErrors },
        },
      },
      async ({ body }) => ('documents' in body ? rerankDocuments(body, parts, lane) : rank(body)),
    );
  };

  async function embed(body: z.output<typeof embedSchema>): Promise<number[][]> {
    const asked = await askedTei(body, parts);
    const { model, role, prefix } = asked;
    const dims = dimsOf(model, body.dimensions);
    const given = await teiInputs(body.inputs, asked);
    const keep = endKept(body.truncation_direction);
    const result = await lane.ask({
      task: 'embed',
      model: model.name,
      inputs: given,
      role,
      prefix,
      keep,
      ...unscaled(body.normalize),
    });
    refuseUnread(result, body.truncate, model);
    const vectorOf = body.normalize ? vectorAt : headAt;
    return given.map((_, n) => shortestFloats(vectorOf(result, n, dims)));
  }

  /** Cosine similarities, which for unit vectors are their dot products. */
  async function compare({ inputs, parameters = {}, model }: Similarity): Promise<number[]> {
    const asked = await askedTei({ ...parameters, model }, parts);
    const { source_sentence: source, sentences } = inputs;
    checkText(source, 'inputs/source_sentence');
    for (const [n, text] of sentences.entries()) checkText(text, `inputs/sentences/${n}`);
    const result = await lane.ask({
      task: 'embed',
      model: asked.model.name,
      role: asked.role,
      prefix: asked.prefix,
      inputs: [source, ...sentences],
      keep: endKept(parameters.truncation_direction),
    });
    refuseUnread(result, parameters.truncate, asked.model);
    const [own, ...others] = [source, ...sentences].map((_, n) => vectorAt(result, n, result.dims));
    return others.map((other) => other.reduce((sum, value, n) => sum + value * (own?.[n] ?? 0), 0));
  }

  async function rank(body: z.output<typeof rerankSchema>) {
    const { query, texts, raw_scores: raw, return_text: withText } = body;
    refuseLeft(body.truncation_direction);
    const whole = body.truncate !== true;
    const { ranked } = await relevanceOf(
      { model: body.model, query, texts, whole, paths: { texts: 'texts' } },
      parts,
      lane,
    );
    return ranked.map(({ index, score, probability }) => ({
      index,
      score: raw ? score : probability,
      ...(withText && { text: texts[index] ?? '' }),
    }));
  }
}

type Similarity = z.output<typeof similaritySchema>;

function isSimilarity(body: z.output<typeof embedSchema> | Similarity): body is Similarity {
  return typeof body.inputs === 'object' && 'source_sentence' in body.inputs;
}
