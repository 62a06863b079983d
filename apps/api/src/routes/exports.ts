import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  EmbedmillError,
  filterSchema,
  NO_COLLECTION,
  sinkSchema,
  webhookSchema,
  type CollectionName,
  type JobId,
  type OutputFormat,
  type StoredSource,
  type TenantId,
} from '@embedmill/jobs';
import { requireScope } from '../access/principal.ts';
import { requireCollection } from '../collections/collection.ts';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../http/problem.ts';
import { sendFile } from '../http/served-file.ts';
import type { Submission } from '../ingest/submission.ts';
import { idempotencyHeaders } from '../ingest/upload.ts';
import { jobView, located } from './jobs.ts';

const tags = ['export'];
const bodySchema = sinkSchema
  .omit({ structure: true })
  .extend({
    format: sinkSchema.shape.format.default('ndjson'),
    vectors: sinkSchema.shape.vectors.default(false),
    filter: filterSchema.optional().meta({ description: 'Which documents to export; all by default.' }),
    webhook: webhookSchema.optional().meta({ description: 'The receiver to notify of the job’s end.' }),
    tenant: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .meta({ description: 'The tenant whose documents to export; all by default.' }),
  })
  .meta({ id: 'Export' });
const MEDIA_TYPES: Record<OutputFormat, string> = {
  ndjson: 'application/x-ndjson',
  'ndjson.gz': 'application/gzip',
  parquet: 'application/vnd.apache.parquet',
};

/** Exports: a job that writes a collection's documents and vectors to a file, and the download of that file. */
export function exportRoutes(
  { store, queue, spool }: ApiParts,
  submission: Submission,
): FastifyPluginAsyncZod {
  return async (server) => {
    server.post(
      '/collections/:name/exports',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Export the documents, or their points with vectors, to a file',
          params: z.object({ name: z.string() }),
          headers: idempotencyHeaders,
          body: bodySchema,
          response: { 202: jobView, 200: jobView, ...problemResponses },
        },
      },
      async (request, reply) => {
        requireScope('search', 'reading what is stored');
        const collection = await requireCollection(store, request.params.name);
        const { filter, tenant, webhook, ...sink } = request.body;
        const selection = { filter, tenant: tenant as TenantId | undefined };
        // Fail the request, not the job, if the store refuses the filter.
        await store.scanPoints(collection.name as CollectionName, { ...selection, limit: 1 });
        const { job, created } = await submission.export(collection, request, {
          sink: sink.vectors ? { ...sink, structure: true } : sink,
          webhook,
          ...selection,
        });
        return located(reply, job)
          .code(created ? 202 : 200)
          .send(job);
      },
    );

    server.get(
      '/jobs/:id/output',
      {
        config: { access: 'submit', slot: 'stream' },
        schema: {
          tags,
          summary: 'Download the file that a job wrote, or a range of it',
          params: z.object({ id: z.string() }),
          response: {
            200: {
              description: 'The file.',
              content: { 'application/octet-stream': { schema: z.string() } },
            },
            206: { description: 'A range.', content: { 'application/octet-stream': { schema: z.string() } } },
            ...problemResponses,
          },
        },
      },
      async (request, reply) => {
        requireScope('search', 'reading what is stored');
        const { output, format, name } = await requireOutput(request.params.id as JobId);
        const etag = `"${request.params.id}-${output.size}"`;
        const file = { source: output, etag, type: MEDIA_TYPES[format], name: `${name}.${format}` };
        return sendFile(request, reply, file, spool);
      },
    );
  };

  async function requireOutput(
    id: JobId,
  ): Promise<{ output: StoredSource; format: OutputFormat; name: string }> {
    const record = await queue.getSubmission(id);
    if (record === undefined) throw new EmbedmillError('job_not_found', `there is no job ${id}`);
    const { sink, output, collection, state } = record;
    if (sink === undefined) {
      throw new EmbedmillError('document_not_found', `job ${id} writes no file`);
    }
    if (output === undefined || state !== 'completed') {
      throw new EmbedmillError('job_not_finished', `job ${id} is ${state}, so its file is not complete`, {
        retryAfter: 2,
      });
    }
    return { output, format: sink.format, name: collection.name === NO_COLLECTION ? id : collection.name };
  }
}
