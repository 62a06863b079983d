import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  asEmbedmillError,
  embeddingProfileSchema,
  EmbedmillError,
  isFinished,
  readKept,
  type JobId,
} from '@embedmill/jobs';
import type { BatchReading, NewJob } from '@embedmill/queue';
import { currentPrincipal, requireScope } from '../access/principal.ts';
import { acceptJob, idFor } from '../ingest/accepted-job.ts';
import { BATCH_ENDPOINT } from '../batches/batch-lines.ts';
import { batchViewSchema, viewOfBatch } from '../batches/batch-view.ts';
import {
  batchRecordSchema,
  EXPIRES_SECONDS,
  newestFirst,
  pageOf,
  pageSchema,
  requireBatch,
  requireFile,
  type BatchRecord,
} from '../batches/client-records.ts';
import { ownDefinition } from '../collections/collection.ts';
import { askedModel } from '../models/model-aliases.ts';
import { openaiError, openaiErrors } from '../compatible/openai-shapes.ts';
import type { ApiParts } from '../parts.ts';
import { answerErrorsAs, refusedField } from '../http/problem.ts';

const tags = ['openai'];
const HOUR_MS = 3600_000;
const params = z.object({ id: z.string() });
const querystring = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  after: z.string().optional(),
});
const bodySchema = z.strictObject({
  input_file_id: z.string().min(1),
  endpoint: z.string(),
  completion_window: z
    .string()
    .regex(/^[1-9]\d{0,2}[hd]$/, 'must be hours or days, such as 24h or 7d')
    .meta({
      description:
        'Requests that are not answered within this time expire: `24h`, or any number of hours or days.',
    }),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
  output_expires_after: z
    .strictObject({
      anchor: z.literal('created_at'),
      seconds: z.int().min(EXPIRES_SECONDS.least).max(EXPIRES_SECONDS.most),
    })
    .optional(),
});

/** OpenAI's embedding batches, implemented as jobs that write their vectors to files. */
export function batchRoutes(parts: ApiParts): FastifyPluginAsyncZod {
  const { spool, queue, config, log, models, threads } = parts;
  return async (server) => {
    answerErrorsAs(server, log, openaiError);

    server.post(
      '/batches',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Run a file of requests as a bulk job',
          body: bodySchema,
          response: { 200: batchViewSchema, ...openaiErrors },
        },
      },
      async (request) => {
        const { body } = request;
        requireScope('search', 'embedding to a file');
        if (body.endpoint !== BATCH_ENDPOINT)
          throw refusedField(
            'endpoint',
            `batches of ${body.endpoint} are not supported; use ${BATCH_ENDPOINT}`,
          );
        const { source } = await requireFile(spool.files, body.input_file_id);
        const { tenant } = currentPrincipal();
        const model = await threads.run('batchModel', { source }, { share: tenant });
        // The validation reports the first line's errors together with those of all others.
        const asked = model === undefined ? undefined : await askedModel({ model }, parts, 'dense');
        const profile = { model: asked?.model.name, chunking: { mode: 'document' as const } };
        const collection = await ownDefinition(embeddingProfileSchema.parse(profile), models);
        const jobId = idFor(collection, request);
        const id = `batch_${jobId.slice('job_'.length)}`;
        const createdAt = Date.now();
        const record: BatchRecord = {
          id,
          job: jobId,
          input: body.input_file_id,
          completionWindow: body.completion_window,
          metadata: body.metadata ?? null,
          ...(tenant !== undefined && { tenant }),
          createdAt,
          expiresAt: createdAt + windowMs(body.completion_window),
          ...(body.output_expires_after && { outputSeconds: body.output_expires_after.seconds }),
        };
        const reading: BatchReading = {
          dims: collection.dims,
          matryoshka: [...(asked?.model.matryoshka ?? [])],
          prompts: { ...asked?.model.prompts },
          ...(asked?.model.instructionPrefix !== undefined && {
            instructionPrefix: asked.model.instructionPrefix,
          }),
          ...(asked?.encoding !== undefined && { encoding: asked.encoding }),
          tokenIds: config.tokenIds ?? 'refused',
        };
        const job: NewJob = {
          id: jobId,
          purpose: 'batch',
          collection,
          source: { kind: 'batch', source, reading },
          label: 'batch',
          digest: `batch:${JSON.stringify(body)}`,
          retryOf: null,
          sink: { format: 'ndjson', vectors: true },
          batch: { id, model: model ?? '' },
        };
        if (request.headers['idempotency-key'] !== undefined) {
          // An earlier request with this key has created the job and the batch, unless it was interrupted between them.
          await acceptJob('batch', job, parts);
          const known = readKept(batchRecordSchema, await spool.batches.read(id)).data;
          if (known === undefined) await spool.batches.keep(id, record);
          return viewOfBatch(known ?? record, parts);
        }
        await spool.batches.keep(id, record);
        try {
          await acceptJob('batch', job, parts);
        } catch (error) {
          // Whether the queue has the job is unknown here; if it does, the batch is complete.
          if (asEmbedmillError(error).code !== 'queue_unavailable') await spool.batches.remove(id);
          throw error;
        }
        return viewOfBatch(record, parts);
      },
    );

    server.get(
      '/batches',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'List the batches, newest first, page by page',
          querystring,
          response: {
            200: pageSchema(batchViewSchema),
            ...openaiErrors,
          },
        },
      },
      async ({ query }) => {
        const { page, ends } = pageOf(await newestFirst(spool.batches, batchRecordSchema), query);
        const data = await Promise.all(page.map((batch) => viewOfBatch(batch, parts)));
        return { object: 'list' as const, data, ...ends };
      },
    );

    server.get(
      '/batches/:id',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'One batch',
          params,
          response: { 200: batchViewSchema, ...openaiErrors },
        },
      },
      async (request) => viewOfBatch(await requireBatch(spool.batches, request.params.id), parts),
    );

    server.post(
      '/batches/:id/cancel',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Cancel a batch; its output file has the requests answered so far',
          params,
          response: { 200: batchViewSchema, ...openaiErrors },
        },
      },
      async (request) => {
        const batch = await requireBatch(spool.batches, request.params.id);
        const job = await queue.getJob(batch.job as JobId);
        if (job === undefined || isFinished(job.state)) {
          const message = `Cannot cancel a batch with status '${job?.state ?? 'unknown'}'.`;
          throw new EmbedmillError('batch_finished', message);
        }
        const asked = { ...batch, cancellingAt: batch.cancellingAt ?? Date.now() };
        await spool.batches.keep(batch.id, asked);
        await queue.cancel(batch.job as JobId);
        return viewOfBatch(asked, parts);
      },
    );
  };
}

function windowMs(window: string): number {
  return Number(window.slice(0, -1)) * (window.endsWith('d') ? 24 : 1) * HOUR_MS;
}
