import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { profileSchema, shortestFloats } from '@embedmill/jobs';
import { dimsOf, type ModelSummary } from '@embedmill/models';
import { base64Vector, quantized } from '@embedmill/retrieval';
import { cohereError, cohereErrors } from '../compatible/cohere-shapes.ts';
import { ignoredBy } from '../compatible/compatible-fields.ts';
import { embedInputs, type EmbeddedInputs } from '../queries/embedded-inputs.ts';
import { askedModel, type AskedModel } from '../models/model-aliases.ts';
import type { ApiParts } from '../parts.ts';
import { answerErrorsAs, refusedField } from '../http/problem.ts';
import { vectorAt, type QueryLane } from '../queries/query-lane.ts';
import { roleFields } from '../models/role.ts';

const MAX_INPUTS = 2048;
/** The default model for clients of the first API version, which may omit it. */
const USUAL = profileSchema.parse({}).model;

const FORMS = ['float', 'int8', 'uint8', 'binary', 'ubinary', 'base64'] as const;
type Form = (typeof FORMS)[number];

const contentSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string() }),
  z.strictObject({
    type: z.literal('image_url'),
    image_url: z.looseObject({ url: z.string() }),
  }),
]);
const fields = {
  texts: z.array(z.string()).max(MAX_INPUTS).optional(),
  images: z.array(z.string()).max(MAX_INPUTS).optional().meta({ description: 'Images as data URIs.' }),
  inputs: z
    .array(z.strictObject({ content: z.array(contentSchema).length(1, 'must be one text or one image') }))
    .max(MAX_INPUTS)
    .optional(),
  embedding_types: z.array(z.enum(FORMS)).min(1).optional(),
  truncate: z.enum(['NONE', 'START', 'END']).default('END'),
  output_dimension: z.int().positive().optional(),
  max_tokens: z.int().positive().optional().meta({
    description: 'At least the model’s limit; a lower limit is not supported.',
  }),
  ...roleFields,
  ...ignoredBy('cohere'),
};
const firstSchema = z.strictObject({ model: z.string().default(USUAL), ...fields });
const secondSchema = z.strictObject({ model: z.string(), ...fields });
type EmbedBody = z.output<typeof secondSchema>;

const numbers = z.array(z.array(z.number()));
const byTypeSchema = z.strictObject({
  float: numbers.optional(),
  int8: numbers.optional(),
  uint8: numbers.optional(),
  binary: numbers.optional(),
  ubinary: numbers.optional(),
  base64: z.array(z.string()).optional(),
});
const metaSchema = z.strictObject({
  api_version: z.strictObject({ version: z.string() }),
  billed_units: z.strictObject({ input_tokens: z.int().optional(), images: z.int().optional() }),
});
const head = { id: z.string(), texts: z.array(z.string()), meta: metaSchema };
const answerSchema = z.union([
  z.strictObject({ ...head, response_type: z.literal('embeddings_floats'), embeddings: numbers }),
  z.strictObject({ ...head, response_type: z.literal('embeddings_by_type'), embeddings: byTypeSchema }),
]);

/** Cohere's embedding endpoints, versions 1 and 2. */
export function cohereRoutes(parts: ApiParts, lane: QueryLane): FastifyPluginAsyncZod {
  return async (server) => {
    answerErrorsAs(server, parts.log, cohereError);
    const options = { config: { access: 'search' }, bodyLimit: 20 * 1024 * 1024 } as const;
    const response = { 200: answerSchema, ...cohereErrors };
    const described = { tags: ['cohere'], summary: 'Embed texts or images immediately', response };

    server.post(
      '/v1/embed',
      { ...options, schema: { ...described, body: firstSchema } },
      async ({ body }) => {
        const { vectors, ...answer } = await embed(body, '1', parts, lane);
        // Before `embedding_types` existed, the response held plain floats.
        return body.embedding_types === undefined
          ? {
              ...answer,
              response_type: 'embeddings_floats' as const,
              embeddings: vectors.map(shortestFloats),
            }
          : { ...answer, ...byType(vectors, body.embedding_types) };
      },
    );

    server.post(
      '/v2/embed',
      { ...options, schema: { ...described, body: secondSchema } },
      async ({ body }) => {
        const { vectors, ...answer } = await embed(body, '2', parts, lane);
        return { ...answer, ...byType(vectors, body.embedding_types ?? ['float']) };
      },
    );
  };
}

async function embed(body: EmbedBody, version: string, parts: ApiParts, lane: QueryLane) {
  const { kind, values, pathOf } = inputsOf(body);
  // Images have no role.
  const input_type = body.input_type === 'image' && kind === 'images' ? undefined : body.input_type;
  const asked = await askedModel({ ...body, input_type }, parts, 'dense');
  const { model } = asked;
  const dims = dimsOf(model, body.output_dimension, 'output_dimension');
  if (body.max_tokens !== undefined && body.max_tokens < model.maxTokens)
    throw refusedField(
      'max_tokens',
      `${model.name} reads ${model.maxTokens} tokens of each text, which cannot be reduced; leave it out`,
    );
  const { vectors, tokens } =
    kind === 'images'
      ? await embedImages(values, { model, dims, pathOf }, lane)
      : await embedTexts(values, asked, { dims, pathOf, truncate: body.truncate }, lane);
  return {
    id: randomUUID(),
    texts: kind === 'texts' ? values : [],
    meta: {
      api_version: { version },
      billed_units: kind === 'images' ? { images: values.length } : { input_tokens: tokens },
    },
    vectors,
  };
}

async function embedImages(
  inputs: string[],
  { model, dims, pathOf }: { model: ModelSummary; dims: number; pathOf: (index: number) => string },
  lane: QueryLane,
): Promise<{ vectors: Float32Array[]; tokens: number }> {
  const result = await lane.ask({ task: 'images', model: model.name, inputs }, pathOf);
  return { vectors: inputs.map((_, n) => vectorAt(result, n, dims)), tokens: 0 };
}

async function embedTexts(
  inputs: string[],
  asked: AskedModel,
  { truncate, ...how }: { dims: number; pathOf: (index: number) => string; truncate: EmbedBody['truncate'] },
  lane: QueryLane,
): Promise<EmbeddedInputs> {
  const { model } = asked;
  const keep = truncate === 'START' ? 'end' : 'start';
  const embedded = await embedInputs(inputs, asked, { ...how, keep }, lane);
  const cut = truncate === 'NONE' ? embedded.truncated.indexOf(true) : -1;
  if (cut === -1) return embedded;
  throw refusedField(
    how.pathOf(cut),
    `it exceeds the limit of ${model.name}, ${model.maxTokens} tokens; shorten it, or set "truncate" to START or END`,
  );
}

/** The inputs to embed: either texts or images. Errors: `invalid_request`. */
function inputsOf({ texts, images, inputs }: EmbedBody): {
  kind: 'texts' | 'images';
  values: string[];
  pathOf: (index: number) => string;
} {
  const given = Object.entries({ texts, images, inputs }).filter(([, list]) => (list ?? []).length > 0);
  const [[field] = ['texts']] = given;
  if (given.length !== 1)
    throw refusedField(field, 'give exactly one of texts, images and inputs, and do not leave it empty');
  const pathOf = (index: number) => `${field}/${index}`;
  if (field !== 'inputs') {
    const kind = field === 'images' ? 'images' : 'texts';
    return { kind, values: (field === 'images' ? images : texts) ?? [], pathOf };
  }
  const contents = (inputs ?? []).flatMap(({ content }) => content);
  const kind = contents[0]?.type === 'image_url' ? 'images' : 'texts';
  const other = contents.findIndex(({ type }) => (type === 'image_url' ? 'images' : 'texts') !== kind);
  if (other !== -1) throw refusedField(pathOf(other), 'texts and images need separate requests');
  return {
    kind,
    values: contents.map((one) => (one.type === 'text' ? one.text : one.image_url.url)),
    pathOf,
  };
}

function byType(vectors: readonly Float32Array[], forms: readonly Form[]) {
  const embeddings: z.infer<typeof byTypeSchema> = {};
  for (const form of forms) {
    if (form === 'float') embeddings.float = vectors.map(shortestFloats);
    else if (form === 'base64') embeddings.base64 = vectors.map(base64Vector);
    else embeddings[form] = vectors.map((vector) => quantized(vector, form));
  }
  return { response_type: 'embeddings_by_type' as const, embeddings };
}
