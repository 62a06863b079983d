import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { EmbedmillError } from '@embedmill/jobs';
import { encodedVector } from '@embedmill/retrieval';
import { embedInputs } from '../queries/embedded-inputs.ts';
import { EMBEDDING_JSON } from '../queries/embedding-input.ts';
import { askedModel, hubIds, namedModel } from '../models/model-aliases.ts';
import {
  embeddingRequestSchema,
  openaiError,
  openaiErrors,
  readEmbeddingRequest,
} from '../compatible/openai-shapes.ts';
import { jinaFields, refuseCut, taskFields, writtenAs } from '../compatible/jina-fields.ts';
import type { ApiParts } from '../parts.ts';
import { answerErrorsAs } from '../http/problem.ts';
import type { QueryLane } from '../queries/query-lane.ts';
import { modelAndRole } from '../models/role.ts';
import { loadDecoders } from '../compatible/token-ids.ts';

/** Enough for the largest number of texts, at some thousand characters each. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
const tags = ['openai'];

const usageSchema = z.strictObject({ prompt_tokens: z.int(), total_tokens: z.int() });
const embeddingSchema = z.strictObject({
  object: z.literal('embedding'),
  index: z.int(),
  embedding: z.union([z.array(z.number()), z.string()]).meta({
    description:
      'L2-normalised unless requested otherwise. In base64: little-endian float32, or the bytes of `output_dtype`.',
  }),
  truncated: z
    .literal(true)
    .optional()
    .meta({ description: 'An embedmill extension: present if the input exceeded the model’s limit.' }),
});
const responseSchema = z.strictObject({
  object: z.literal('list'),
  model: z.string(),
  data: z.array(embeddingSchema),
  usage: usageSchema,
});
const openaiModelSchema = z.strictObject({
  id: z.string(),
  object: z.literal('model'),
  created: z.int(),
  owned_by: z.string(),
});
/** The request body of OpenAI-compatible servers. */
const requestSchema = embeddingRequestSchema.extend(jinaFields);
/** Also accepts what Infinity's client sends: `dimensions` of 0 for the model's own size, and `modality` "text". */
const requestWithoutVersionSchema = requestSchema.extend({
  dimensions: z
    .int()
    .nonnegative()
    .transform((size) => (size === 0 ? undefined : size))
    .optional()
    .meta({ description: 'A smaller vector size, if the model was trained for it; 0 for its full size.' }),
  modality: z.literal('text').optional(),
});

/** OpenAI-compatible embeddings, models and errors, so that OpenAI's clients work unchanged. */
export function embeddingRoutes(parts: ApiParts, lane: QueryLane): FastifyPluginAsyncZod {
  const { models, log, config } = parts;
  const embed = embedding(parts, lane);
  const denseModels = async () => (await models()).filter(({ kind }) => kind === 'dense');
  return async (server) => {
    await loadDecoders(config.aliases);
    answerErrorsAs(server, log, openaiError);
    server.setNotFoundHandler((request, reply) => {
      const message = `there is nothing at ${request.method} ${request.url}`;
      return reply.code(404).send(openaiError(new EmbedmillError('not_found', message), message));
    });

    server.post(
      '/embeddings',
      {
        config: { access: 'search', json: EMBEDDING_JSON },
        bodyLimit: MAX_BODY_BYTES,
        schema: {
          tags,
          summary: 'Embed texts immediately, ahead of bulk jobs',
          body: requestSchema,
          response: { 200: responseSchema, ...openaiErrors },
        },
      },
      async ({ body }) => embed(body),
    );

    server.get(
      '/models',
      {
        config: { access: 'any' },
        schema: {
          tags,
          summary: 'List the models in OpenAI’s format',
          response: {
            200: z.strictObject({ object: z.literal('list'), data: z.array(openaiModelSchema) }),
            ...openaiErrors,
          },
        },
      },
      async () => ({
        object: 'list' as const,
        data: [
          ...(await denseModels()).map(({ name }) => name),
          ...hubIds(await denseModels()).keys(),
          ...(config.aliases?.keys() ?? []),
        ].map(openaiModel),
      }),
    );

    server.get(
      '/models/:model',
      {
        config: { access: 'any' },
        schema: {
          tags,
          summary: 'Get a model in OpenAI’s format',
          params: z.object({ model: z.string() }),
          response: { 200: openaiModelSchema, ...openaiErrors },
        },
      },
      async ({ params: { model } }) => {
        const { name } = modelAndRole(model);
        await namedModel(name, parts);
        return openaiModel(model);
      },
    );
  };
}

/** The embedding models, in OpenAI's format. */
function embedding(parts: ApiParts, lane: QueryLane) {
  return async (body: z.output<typeof requestSchema>): Promise<z.infer<typeof responseSchema>> => {
    const { encoding_format: format, output_dtype: form } = writtenAs(body);
    const named = await namedModel(modelAndRole(body.model).name, parts, 'dense');
    const asked = await askedModel({ ...body, ...taskFields(body, named) }, parts, 'dense');
    const { inputs, ...how } = await readEmbeddingRequest(body, asked, parts.config.tokenIds ?? 'refused');
    const normalize = body.normalized && body.normalize;
    const { vectors, truncated, tokens } = await embedInputs(inputs, asked, { ...how, normalize }, lane);
    refuseCut(body, truncated, asked.model, how.pathOf);
    return {
      object: 'list' as const,
      model: asked.model.name,
      data: vectors.map((vector, index) => ({
        object: 'embedding' as const,
        index,
        embedding: encodedVector(vector, format, form),
        ...(truncated[index] === true && { truncated: true as const }),
      })),
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    };
  };
}

/**
 * The same routes under the paths of other OpenAI-compatible servers: without a version, and Azure's with a deployment
 * name, which is a model name here. `api-version` is ignored.
 */
export function embeddingDoors(parts: ApiParts, lane: QueryLane): FastifyPluginAsyncZod {
  const embed = embedding(parts, lane);
  return async (server) => {
    answerErrorsAs(server, parts.log, openaiError);
    const options = {
      config: { access: 'search', json: EMBEDDING_JSON },
      bodyLimit: MAX_BODY_BYTES,
    } as const;
    const response = { 200: responseSchema, ...openaiErrors };
    server.post(
      '/embeddings',
      {
        ...options,
        schema: { tags, summary: 'As /v1/embeddings', body: requestWithoutVersionSchema, response },
      },
      async ({ body }) => embed(body),
    );
    server.post(
      '/openai/deployments/:deployment/embeddings',
      {
        ...options,
        schema: {
          tags,
          summary: 'The same as /v1/embeddings, at Azure’s path; the deployment is a model',
          params: z.object({ deployment: z.string() }),
          querystring: z.strictObject({ 'api-version': z.string().optional() }),
          body: requestSchema.extend({ model: requestSchema.shape.model.optional() }),
          response,
        },
      },
      // As in Azure, the deployment takes precedence over the body's `model`.
      async ({ body, params }) => embed({ ...body, model: params.deployment }),
    );
  };
}

function openaiModel(id: string) {
  return { id, object: 'model' as const, created: 0, owned_by: 'embedmill' };
}
