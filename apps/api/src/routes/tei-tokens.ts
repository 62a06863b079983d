import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { shortestFloats } from '@embedmill/jobs';
import type { ModelSummary } from '@embedmill/models';
import { ignoredBy } from '../compatible/compatible-fields.ts';
import { wantsPage } from '../http/console-files.ts';
import { namedModel } from '../models/model-aliases.ts';
import type { ApiParts } from '../parts.ts';
import { MAX_INPUTS } from '../queries/embedding-input.ts';
import { answerErrorsAs, refusedField } from '../http/problem.ts';
import { unscaled, type QueryLane } from '../queries/query-lane.ts';
import { pairRelevances } from '../queries/relevance.ts';
import { promptOf } from '../models/role.ts';
import {
  askedTei,
  DENSE,
  endKept,
  errorType,
  inputs,
  model,
  pairReading,
  reading,
  refuseLeft,
  refuseUnread,
  TEI_OPTIONS,
  teiErrors,
  teiInputs,
} from '../compatible/tei-shapes.ts';

const tags = ['tei'];
/** Most numbers in one response of /embed_all: some 90 MB of JSON. */
const MOST_NUMBERS = 2 ** 23;

const tokenizeSchema = z.strictObject({
  inputs: z.union([z.string(), z.array(z.string()).min(1).max(MAX_INPUTS)]),
  add_special_tokens: z.boolean().default(true),
  model,
  prompt_name: reading.prompt_name,
  input_type: reading.input_type,
  ...ignoredBy('tei'),
});
const tokenSchema = z.strictObject({
  id: z.int(),
  text: z.string(),
  special: z.boolean(),
  start: z.int().nullable().meta({ description: 'Its first byte in the text with its prompt, as UTF-8.' }),
  stop: z.int().nullable(),
});
const decodeSchema = z.strictObject({
  ids: inputs.meta({ description: 'Token ids of a text, or of several.' }),
  skip_special_tokens: z.boolean().default(true),
  model,
  ...ignoredBy('tei'),
});
const embedAllSchema = z.strictObject({
  inputs,
  ...reading,
  normalize: z.boolean().default(false).meta({
    description:
      'embedmill’s own: whether vectors are brought to length 1; else they stay as the model gives them.',
  }),
});
const single = z.tuple([z.string()]);
const pair = z.tuple([z.string(), z.string()]);
const predictSchema = z.strictObject({
  inputs: z.union([
    z.string(),
    pair,
    z
      .array(z.union([single, pair]))
      .min(1)
      .max(1000),
  ]),
  ...pairReading,
});
const predictionSchema = z.strictObject({ score: z.number(), label: z.string() });
const infoSchema = z.strictObject({
  model_id: z.string(),
  served_model_name: z.string(),
  model_sha: z.null(),
  model_dtype: z.string(),
  model_type: z.union([
    z.strictObject({ embedding: z.strictObject({ pooling: z.string() }) }),
    z.strictObject({
      reranker: z.strictObject({
        id2label: z.record(z.string(), z.string()),
        label2id: z.record(z.string(), z.int()),
      }),
    }),
  ]),
  max_concurrent_requests: z.int(),
  max_input_length: z.int(),
  max_batch_tokens: z.int(),
  max_batch_requests: z.null(),
  max_client_batch_size: z.int(),
  auto_truncate: z.boolean(),
  tokenization_workers: z.int(),
  version: z.string(),
});

/** The label of a reranker's single score if the model's config names none. */
const LABEL = 'LABEL_0';

/** The text-embeddings-inference API: server and model information, tokens, and predictions. */
export function teiTokenRoutes(parts: ApiParts, lane: QueryLane): FastifyPluginAsyncZod {
  const { log, config } = parts;
  return async (server) => {
    answerErrorsAs(server, log, ({ code }, error) => ({ error, error_type: errorType(code) }));

    // Redirect a browser that opens the root to the console.
    server.get(
      '/',
      {
        config: { access: 'open' },
        schema: {
          tags,
          summary: 'Liveness; redirects browsers to the console',
          response: { 200: z.literal(''), 302: z.null().describe('A redirect to the console.') },
        },
      },
      async (request, reply) => {
        reply.header('vary', 'accept');
        return wantsPage(request.headers.accept) ? reply.redirect('console/', 302) : reply.send('');
      },
    );

    for (const path of ['/health', '/ping']) {
      server.get(
        path,
        {
          config: { access: 'open' },
          schema: { tags, summary: 'Whether the server is alive', response: { 200: z.literal('') } },
        },
        async () => '' as const,
      );
    }

    server.get(
      '/info',
      {
        config: { access: 'any' },
        schema: {
          tags,
          summary: 'Get information about a model',
          querystring: z.strictObject({ model }),
          response: { 200: infoSchema, ...teiErrors },
        },
      },
      async ({ query }) => {
        const found = await namedModel(query.model ?? DENSE, parts);
        return {
          model_id: found.repository ?? found.name,
          served_model_name: found.name,
          model_sha: null,
          // Describes the responses; the precision of the model's files is not known here.
          model_dtype: 'float32',
          model_type: typeOf(found),
          max_concurrent_requests: config.limits?.maxRequests ?? 64,
          max_input_length: found.maxTokens,
          max_batch_tokens: MAX_INPUTS * found.maxTokens,
          max_batch_requests: null,
          max_client_batch_size: MAX_INPUTS,
          auto_truncate: false,
          tokenization_workers: 1,
          version: 'embedmill',
        };
      },
    );

    server.post(
      '/tokenize',
      {
        ...TEI_OPTIONS,
        schema: {
          tags,
          summary: 'Tokenize texts',
          body: tokenizeSchema,
          response: { 200: z.array(z.array(tokenSchema)), ...teiErrors },
        },
      },
      async ({ body }) => {
        const found = await namedModel(body.model ?? DENSE, parts);
        const { role, prefix } = promptOf({ ...body, model: found.name }, found);
        const texts = [body.inputs].flat();
        const wrong = texts.findIndex((text) => !text.isWellFormed());
        if (wrong !== -1) throw refusedField(`inputs/${wrong}`, 'the text has a lone surrogate; remove it');
        const { found: tokens } = await lane.ask({
          task: 'tokenize',
          model: found.name,
          role,
          prefix,
          special: body.add_special_tokens,
          inputs: texts,
        });
        return tokens;
      },
    );

    server.post(
      '/decode',
      {
        ...TEI_OPTIONS,
        schema: {
          tags,
          summary: 'Decode token ids to texts',
          body: decodeSchema,
          response: { 200: z.array(z.string()), ...teiErrors },
        },
      },
      async ({ body }) => {
        const found = await namedModel(body.model ?? DENSE, parts);
        const { texts } = await lane.ask(
          {
            task: 'detokenize',
            model: found.name,
            special: !body.skip_special_tokens,
            inputs: idsOf(body.ids),
          },
          (n) => `ids/${n}`,
        );
        return texts;
      },
    );

    server.post(
      '/embed_all',
      {
        ...TEI_OPTIONS,
        schema: {
          tags,
          summary: 'Embed each token of texts',
          body: embedAllSchema,
          response: { 200: z.array(z.array(z.array(z.number()))), ...teiErrors },
        },
      },
      async ({ body }) => {
        const asked = await askedTei(body, parts);
        const { model: found, role, prefix } = asked;
        const given = await teiInputs(body.inputs, asked);
        const most = Math.max(1, Math.floor(MOST_NUMBERS / (found.maxTokens * found.dims)));
        if (given.length > most)
          throw refusedField(
            'inputs',
            `there are ${given.length}; ${found.name} takes at most ${most} at once`,
          );
        const keep = endKept(body.truncation_direction);
        const result = await lane.ask({
          task: 'states',
          model: found.name,
          inputs: given,
          role,
          prefix,
          keep,
          ...unscaled(body.normalize),
        });
        refuseUnread(result, body.truncate, found);
        const { dims } = result;
        return result.states.map((states) =>
          Array.from({ length: states.length / dims }, (_, n) =>
            shortestFloats(states.subarray(n * dims, (n + 1) * dims)),
          ),
        );
      },
    );

    server.post(
      '/predict',
      {
        ...TEI_OPTIONS,
        schema: {
          tags,
          summary: 'Classify pairs of texts with a reranker',
          body: predictSchema,
          response: {
            200: z.union([z.array(predictionSchema), z.array(z.array(predictionSchema))]),
            ...teiErrors,
          },
        },
      },
      async ({ body }) => {
        const found = await namedModel(body.model ?? DENSE, parts);
        if (found.kind !== 'reranker')
          throw refusedField(
            'model',
            `${found.name} is not a classifier; name a reranker, which scores pairs`,
          );
        refuseLeft(body.truncation_direction);
        const { isOne, given } = sequencesOf(body.inputs);
        const pathOf = (n: number) => (isOne ? 'inputs' : `inputs/${n}`);
        const alone = given.findIndex(({ length }) => length === 1);
        if (alone !== -1)
          throw refusedField(pathOf(alone), `${found.name} scores pairs; give it a query and a text`);
        const { scores } = await pairRelevances(
          given.map(([query = '', text = '']) => ({ query, text })),
          { model: found.name, whole: body.truncate !== true, pathOf },
          parts,
          lane,
        );
        const predictions = scores.map(({ score, probability }) => [
          { score: body.raw_scores ? score : probability, label: LABEL },
        ]);
        return isOne ? (predictions[0] ?? []) : predictions;
      },
    );
  };
}

function typeOf({ kind, pooling }: ModelSummary): z.infer<typeof infoSchema>['model_type'] {
  if (kind === 'reranker') return { reranker: { id2label: { 0: LABEL }, label2id: { [LABEL]: 0 } } };
  return { embedding: { pooling: kind === 'sparse' ? 'splade' : (pooling ?? 'mean') } };
}

function idsOf(given: z.output<typeof inputs>): number[][] {
  if (typeof given === 'string' || given.length === 0 || typeof given[0] === 'string')
    throw refusedField('ids', 'must be a list of token ids, or a list of such lists');
  const lists = (typeof given[0] === 'number' ? [given] : given) as number[][];
  if (lists.length > MAX_INPUTS)
    throw refusedField('ids', `there are ${lists.length}; one request may have at most ${MAX_INPUTS}`);
  return lists;
}

function sequencesOf(given: z.output<typeof predictSchema>['inputs']): { isOne: boolean; given: string[][] } {
  if (typeof given === 'string') return { isOne: true, given: [[given]] };
  if (given.every((one) => typeof one === 'string')) return { isOne: true, given: [given] };
  return { isOne: false, given: given as string[][] };
}
