import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { profileSchema, type ErrorCode } from '@embedmill/jobs';
import { dimsOf, requireModel } from '../model.ts';
import type { ApiParts } from '../parts.ts';
import { answerErrorsAs, refusedField } from '../problem.ts';
import { checkText, vectorAt, type QueryLane } from '../query-lane.ts';
import { relevanceOf, tooLong } from '../relevance.ts';

const MAX_INPUTS = 2048;
const MAX_BODY_BYTES = 16 * 1024 * 1024;
const tags = ['tei'];

const texts = z.union([z.string(), z.array(z.string()).min(1).max(MAX_INPUTS)]);
const model = z.string().optional().meta({ description: 'embedmill’s own: which model.' });
const truncate = z.boolean().nullish().meta({
  description: 'Cut inputs that are longer than the model reads; refused otherwise.',
});
const embedSchema = z.object({
  inputs: texts,
  ...{ model, truncate },
  normalize: z.boolean().default(true).meta({ description: 'Only true: vectors here are of length 1.' }),
  dimensions: z.int().positive().nullish(),
});
const sparseSchema = z.object({ inputs: texts, ...{ model, truncate } });
const rerankSchema = z.object({
  query: z.string(),
  texts: z.array(z.string()).min(1).max(1000),
  ...{ model, truncate },
  raw_scores: z.boolean().default(false).meta({ description: 'Logits instead of values from 0 to 1.' }),
  return_text: z.boolean().default(false),
});
const rankSchema = z.strictObject({ index: z.int(), score: z.number(), text: z.string().optional() });
const errorSchema = z.strictObject({ error: z.string(), error_type: z.string() });
const errors = { '4xx': errorSchema, '5xx': errorSchema };

/** The shapes of text-embeddings-inference, so that its clients work unchanged. */
export function teiRoutes({ models, log }: ApiParts, lane: QueryLane): FastifyPluginAsyncZod {
  return async (server) => {
    answerErrorsAs(server, log, ({ code }, error) => ({ error, error_type: errorType(code) }));

    server.post(
      '/embed',
      {
        config: { access: 'search' },
        bodyLimit: MAX_BODY_BYTES,
        schema: {
          ...{ tags, summary: 'Embed texts now', body: embedSchema },
          response: { 200: z.array(z.array(z.number())), ...errors },
        },
      },
      async ({ body }) => {
        if (!body.normalize)
          throw refusedField('normalize', 'vectors here are of length 1 always; leave it out');
        const found = await requireModel(
          models,
          body.model ?? profileSchema.parse({}).model,
          'model',
          'dense',
        );
        const dims = dimsOf(found, body.dimensions ?? undefined);
        const inputs = inputsOf(body.inputs);
        const result = await lane.ask({ task: 'embed', model: found.name, inputs, kind: 'document' });
        refuseCut(result, body.truncate, found.maxTokens);
        return inputs.map((_, n) => [...vectorAt(result, n, dims)]);
      },
    );

    server.post(
      '/embed_sparse',
      {
        config: { access: 'search' },
        bodyLimit: MAX_BODY_BYTES,
        schema: {
          ...{ tags, summary: 'Weigh the terms of texts now', body: sparseSchema },
          response: {
            200: z.array(z.array(z.strictObject({ index: z.int(), value: z.number() }))),
            ...errors,
          },
        },
      },
      async ({ body }) => {
        const { splade } = profileSchema.parse({ sparse: { splade: {} } }).sparse;
        const found = await requireModel(models, body.model ?? splade?.model ?? '', 'model', 'sparse');
        const inputs = inputsOf(body.inputs);
        const result = await lane.ask({ task: 'sparse', model: found.name, inputs, kind: 'document' });
        refuseCut(result, body.truncate, found.maxTokens);
        return result.vectors.map(({ indices, values }) =>
          Array.from(indices, (index, n) => ({ index, value: values[n] ?? 0 })),
        );
      },
    );

    server.post(
      '/rerank',
      {
        config: { access: 'search' },
        bodyLimit: MAX_BODY_BYTES,
        schema: {
          ...{ tags, summary: 'How well each text answers the query, the best first', body: rerankSchema },
          response: { 200: z.array(rankSchema), ...errors },
        },
      },
      async ({ body }) => {
        const { query, texts, raw_scores: raw, return_text: withText } = body;
        const whole = body.truncate !== true;
        const ranked = await relevanceOf(
          { model: body.model, query, texts, whole, paths: { texts: 'texts' } },
          { models },
          lane,
        );
        return ranked.map(({ index, score, probability }) => ({
          ...{ index, score: raw ? score : probability },
          ...(withText && { text: texts[index] ?? '' }),
        }));
      },
    );
  };
}

function inputsOf(given: z.infer<typeof texts>): string[] {
  const inputs = typeof given === 'string' ? [given] : given;
  for (const [n, text] of inputs.entries()) checkText(text, `inputs/${n}`);
  return inputs;
}

function refuseCut(
  { truncated }: { truncated: boolean[] },
  truncate: boolean | null | undefined,
  maxTokens: number,
): void {
  const cut = truncate === true ? -1 : truncated.indexOf(true);
  if (cut !== -1) throw tooLong(`inputs/${cut}`, maxTokens);
}

/** The kinds that its clients know. */
function errorType(code: ErrorCode): string {
  switch (code) {
    case 'overloaded':
    case 'rate_limited':
      return 'Overloaded';
    case 'no_worker':
    case 'model_unavailable':
    case 'queue_unavailable':
    case 'identity_unavailable':
      return 'Unhealthy';
    case 'invalid_request':
    case 'invalid_json':
    case 'unauthenticated':
    case 'forbidden':
    case 'payload_too_large':
    case 'dimensions_not_allowed':
    case 'model_not_found':
      return 'Validation';
    default:
      return 'Backend';
  }
}
