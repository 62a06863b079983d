import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  EmbedmillError,
  embeddingProfileSchema,
  vectorFormSchema,
  type DatasetJob,
  type JobId,
} from '@embedmill/jobs';
import type { NewJob } from '@embedmill/queue';
import { requireScope } from '../access/principal.ts';
import { acceptJob, idFor } from '../ingest/accepted-job.ts';
import { cohereError, cohereErrors } from '../compatible/cohere-shapes.ts';
import { ownDefinition } from '../collections/collection.ts';
import { requireDataset } from '../datasets/dataset-records.ts';
import { EMBED_JOB, embedJobViewSchema, embedJobsOf, requireEmbedJob } from '../datasets/embed-job-view.ts';
import { askedModel } from '../models/model-aliases.ts';
import type { ApiParts } from '../parts.ts';
import { answerErrorsAs, refusedField } from '../http/problem.ts';
import { roleFields } from '../models/role.ts';

const tags = ['cohere'];
const params = z.object({ id: z.string() });
const bodySchema = z.strictObject({
  model: z.string(),
  dataset_id: z.string(),
  input_type: roleFields.input_type.unwrap(),
  name: z.string().max(512).optional(),
  embedding_types: z.array(vectorFormSchema).min(1).optional(),
  truncate: z.enum(['START', 'END']).default('END'),
});
const metaSchema = z.strictObject({ api_version: z.strictObject({ version: z.literal('1') }) });
const META: z.infer<typeof metaSchema> = { api_version: { version: '1' } };

/** Cohere's embed jobs, implemented as jobs that turn one dataset into another. */
export function embedJobRoutes(parts: ApiParts): FastifyPluginAsyncZod {
  const { spool, queue, models, log } = parts;
  return async (server) => {
    answerErrorsAs(server, log, cohereError);

    server.post(
      '/embed-jobs',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Embed the rows of a dataset as a bulk job',
          body: bodySchema,
          response: { 200: z.strictObject({ job_id: z.string(), meta: metaSchema }), ...cohereErrors },
        },
      },
      async (request) => {
        requireScope('search', 'embedding to a file');
        const { body } = request;
        const input = await requireDataset(spool.datasets, body.dataset_id);
        if (input.type !== 'embed-input')
          throw refusedField(
            'dataset_id',
            'the dataset is the output of an embed job; use one of the type embed-input',
          );
        if (input.error !== undefined)
          throw new EmbedmillError('invalid_dataset', `the dataset is not valid: ${input.error}`);
        const { model, role, prefix } = await askedModel(body, parts, 'dense');
        const { source, reading } = input;
        const dataset: DatasetJob = {
          input: input.id,
          name: body.name ?? null,
          model: body.model,
          role,
          ...(prefix !== undefined && { prefix }),
          keep: body.truncate === 'START' ? 'end' : 'start',
          forms: [...new Set(body.embedding_types ?? (['float'] as const))],
          fields: [...reading.required, ...reading.optional],
        };
        const profile = { model: model.name, chunking: { mode: 'document' as const } };
        const collection = await ownDefinition(embeddingProfileSchema.parse(profile), models);
        const job: NewJob = {
          id: idFor(collection, request),
          purpose: 'dataset',
          collection,
          source: { kind: 'dataset', source, reading },
          label: EMBED_JOB,
          digest: `embed-job:${JSON.stringify(dataset)}`,
          retryOf: null,
          dataset,
        };
        const submitted = await acceptJob('dataset', job, parts);
        return { job_id: submitted.job.id, meta: META };
      },
    );

    server.get(
      '/embed-jobs',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'List the embed jobs, newest first',
          response: { 200: z.strictObject({ embed_jobs: z.array(embedJobViewSchema) }), ...cohereErrors },
        },
      },
      async () => ({ embed_jobs: await embedJobsOf(queue) }),
    );

    server.get(
      '/embed-jobs/:id',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Get an embed job',
          params,
          response: { 200: embedJobViewSchema, ...cohereErrors },
        },
      },
      async (request) => requireEmbedJob(queue, request.params.id as JobId),
    );

    server.post(
      '/embed-jobs/:id/cancel',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Cancel an embed job; it then produces no dataset',
          params,
          response: { 200: z.strictObject({}), ...cohereErrors },
        },
      },
      async (request) => {
        const { job_id: id } = await requireEmbedJob(queue, request.params.id as JobId);
        await queue.cancel(id as JobId);
        return {};
      },
    );
  };
}
