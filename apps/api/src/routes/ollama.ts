import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { shortestFloats } from '@embedmill/jobs';
import { dimsOf } from '@embedmill/models';
import { ignoredBy } from '../compatible/compatible-fields.ts';
import { embedInputs } from '../queries/embedded-inputs.ts';
import { askedModel } from '../models/model-aliases.ts';
import type { ApiParts } from '../parts.ts';
import { answerErrorsAs, refusedField } from '../http/problem.ts';
import type { QueryLane } from '../queries/query-lane.ts';
import { roleFields } from '../models/role.ts';

const MAX_INPUTS = 2048;
const BODY_BYTES = 16 * 1024 * 1024;
const tags = ['ollama'];

const fields = {
  model: z
    .string()
    .meta({ description: 'A dense model, by its name or an alias, with or without `:latest`.' }),
  options: z.looseObject({ num_ctx: z.int().positive().optional() }).optional().meta({
    description: 'Options for running the model. For embeddings, only num_ctx has an effect.',
  }),
  ...roleFields,
  ...ignoredBy('ollama'),
};
const embedSchema = z.strictObject({
  ...fields,
  input: z.union([z.string(), z.array(z.string()).max(MAX_INPUTS)]),
  truncate: z.boolean().default(true),
  dimensions: z.int().nonnegative().optional(),
});
const embeddingSchema = z.strictObject({ ...fields, prompt: z.string() });
const embedAnswer = z.strictObject({
  model: z.string(),
  embeddings: z.array(z.array(z.number())),
  total_duration: z.int(),
  load_duration: z.int(),
  prompt_eval_count: z.int(),
});
const errorSchema = z.strictObject({ error: z.string() });
const errors = { '4xx': errorSchema, '5xx': errorSchema };

/** Ollama's current and former embedding endpoints. */
export function ollamaRoutes(parts: ApiParts, lane: QueryLane): FastifyPluginAsyncZod {
  return async (server) => {
    answerErrorsAs(server, parts.log, (_error, error) => ({ error }));
    const options = { config: { access: 'search' }, bodyLimit: BODY_BYTES } as const;

    server.post(
      '/api/embed',
      {
        ...options,
        schema: {
          tags,
          summary: 'Embed texts immediately',
          body: embedSchema,
          response: { 200: embedAnswer, ...errors },
        },
      },
      async ({ body }) => {
        const started = performance.now();
        const inputs = [body.input].flat();
        // As in Ollama, an empty text counts as no input.
        const isNothing = body.input === '' || inputs.length === 0;
        const pathOf = (n: number) => (typeof body.input === 'string' ? 'input' : `input/${n}`);
        const { vectors, tokens } = await embed(isNothing ? [] : inputs, body, pathOf);
        return {
          model: body.model,
          embeddings: vectors.map(shortestFloats),
          // In nanoseconds.
          total_duration: Math.round((performance.now() - started) * 1e6),
          load_duration: 0,
          prompt_eval_count: tokens,
        };
      },
    );

    server.post(
      '/api/embeddings',
      {
        ...options,
        schema: {
          tags,
          summary: 'Embed a text immediately',
          body: embeddingSchema,
          response: { 200: z.strictObject({ embedding: z.array(z.number()) }), ...errors },
        },
      },
      async ({ body }) => {
        const texts = body.prompt === '' ? [] : [body.prompt];
        const { vectors } = await embed(texts, { ...body, truncate: true }, () => 'prompt');
        return { embedding: vectors.flatMap(shortestFloats) };
      },
    );
  };

  async function embed(
    inputs: string[],
    body: Pick<z.output<typeof embedSchema>, 'model' | 'options' | 'truncate' | 'dimensions' | 'input_type'>,
    pathOf: (index: number) => string,
  ): Promise<{ vectors: Float32Array[]; tokens: number }> {
    const name = body.model.replace(/:latest$/, '');
    const asked = await askedModel({ ...body, model: name }, parts, 'dense');
    const { model } = asked;
    const dims = dimsOf(model, body.dimensions || undefined);
    const window = body.options?.num_ctx ?? model.maxTokens;
    if (window < model.maxTokens)
      throw refusedField(
        'options/num_ctx',
        `${model.name} reads ${model.maxTokens} tokens, which cannot be changed to ${window}; leave it out`,
      );
    if (inputs.length === 0) return { vectors: [], tokens: 0 };
    const embedded = await embedInputs(inputs, asked, { dims, pathOf }, lane);
    const cut = body.truncate ? -1 : embedded.truncated.indexOf(true);
    if (cut !== -1) throw refusedField(pathOf(cut), 'the input length exceeds the context length');
    return embedded;
  }
}
