import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { profileSchema, shortestFloats, type ErrorCode, type InputReading } from '@embedmill/jobs';
import type { ModelSummary } from '@embedmill/models';
import { ignoredBy } from '../compatible-fields.ts';
import { dimsOf } from '../model.ts';
import { askedModel } from '../model-aliases.ts';
import type { ApiParts } from '../parts.ts';
import { answerErrorsAs, refusedField } from '../problem.ts';
import { checkText, refuseUnknown, vectorAt, type QueryLane } from '../query-lane.ts';
import { relevanceOf, tooLong } from '../relevance.ts';
import { promptFields, roleFields } from '../role.ts';

const MAX_INPUTS = 2048;
const MAX_BODY_BYTES = 16 * 1024 * 1024;
const tags = ['tei'];
/** Where no model is named, as there none can be. */
const DENSE = profileSchema.parse({}).model;
const SPARSE = profileSchema.parse({ sparse: { splade: {} } }).sparse.splade?.model ?? '';

const texts = z.union([z.string(), z.array(z.string()).min(1).max(MAX_INPUTS)]);
const model = z.string().optional().meta({ description: 'embedmill’s own: which model.' });
const truncate = z.boolean().optional().meta({
  description: 'Cut inputs that are longer than the model reads; refused otherwise.',
});
const directions = ['Left', 'Right', 'left', 'right'] as const;
const reading = {
  model,
  truncate,
  truncation_direction: z.enum(directions).optional().meta({
    description:
      'Where inputs that are too long are cut: at their end (`Right`, the default) or their start.',
  }),
  ...promptFields,
  ...roleFields,
  ...ignoredBy('tei'),
};
const embedSchema = z.strictObject({
  inputs: texts,
  ...reading,
  normalize: z.boolean().default(true).meta({ description: 'Only true: vectors here are of length 1.' }),
  dimensions: z.int().positive().optional(),
});
const sparseSchema = z.strictObject({ inputs: texts, ...reading });
const rerankSchema = z.strictObject({
  query: z.string(),
  texts: z.array(z.string()).min(1).max(1000),
  ...{ model, truncate, ...ignoredBy('tei') },
  truncation_direction: z.enum(directions).optional().meta({
    description: 'Only `Right`: a query and its text are cut at their ends.',
  }),
  raw_scores: z.boolean().default(false).meta({ description: 'Logits instead of values from 0 to 1.' }),
  return_text: z.boolean().default(false),
});
const rankSchema = z.strictObject({ index: z.int(), score: z.number(), text: z.string().optional() });
const errorSchema = z.strictObject({ error: z.string(), error_type: z.string() });
const errors = { '4xx': errorSchema, '5xx': errorSchema };

/** The shapes of text-embeddings-inference, so that its clients work unchanged. */
export function teiRoutes(parts: ApiParts, lane: QueryLane): FastifyPluginAsyncZod {
  const { log } = parts;
  return async (server) => {
    answerErrorsAs(server, log, ({ code }, error) => ({ error, error_type: errorType(code) }));

    // Hugging Face's clients, given a server's address, ask at its root.
    for (const path of ['/', '/embed'])
      server.post(
        path,
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
          const asked = await askedModel({ ...body, model: body.model ?? DENSE }, parts, 'dense');
          const { model: found, role, prefix } = asked;
          const dims = dimsOf(found, body.dimensions);
          const inputs = inputsOf(body.inputs);
          const keep = endKept(body.truncation_direction);
          const result = await lane.ask({ task: 'embed', model: found.name, inputs, role, prefix, keep });
          refuseUnread(result, body.truncate, found);
          return inputs.map((_, n) => shortestFloats(vectorAt(result, n, dims)));
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
        const asked = await askedModel({ ...body, model: body.model ?? SPARSE }, parts, 'sparse');
        const { model: found, role, prefix } = asked;
        const inputs = inputsOf(body.inputs);
        const keep = endKept(body.truncation_direction);
        const result = await lane.ask({ task: 'sparse', model: found.name, inputs, role, prefix, keep });
        refuseUnread(result, body.truncate, found);
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
        bodyLimit: MAX_BODY_BYTES,
        schema: {
          ...{ tags, summary: 'How well each text answers the query, the best first', body: rerankSchema },
          response: { 200: z.array(rankSchema), ...errors },
        },
      },
      async ({ body }) => {
        const { query, texts, raw_scores: raw, return_text: withText } = body;
        if (endKept(body.truncation_direction) === 'end')
          throw refusedField(
            'truncation_direction',
            'pairs are cut at their ends; leave it out, or say Right',
          );
        const whole = body.truncate !== true;
        const ranked = await relevanceOf(
          { model: body.model, query, texts, whole, paths: { texts: 'texts' } },
          parts,
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

function endKept(direction: (typeof directions)[number] = 'Right'): 'start' | 'end' {
  return direction.toLowerCase() === 'left' ? 'end' : 'start';
}

/** Refuses what was not read whole, unless cutting is asked for, and what the model could make nothing of. */
function refuseUnread(
  { truncated, unknown }: InputReading,
  truncate: boolean | undefined,
  { name, maxTokens }: ModelSummary,
): void {
  refuseUnknown(unknown, name, (n) => `inputs/${n}`);
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
