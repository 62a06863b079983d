import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  documentReportSchema,
  EmbedmillError,
  jobSchema,
  jobStateSchema,
  moreReportsSchema,
  prioritySchema,
  tenantSchema,
  verificationSchema,
  webhookDeliverySchema,
  type Job,
  type JobId,
  type ReportKind,
} from '@embedmill/jobs';
import { PLACE } from '@embedmill/queue';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../http/problem.ts';
import type { Resubmission } from '../ingest/resubmission.ts';
import { retrySelectionSchema } from '../ingest/retry-selection.ts';
import { shownReports } from '../jobs/shown-reports.ts';

const tags = ['jobs'];
const params = z.object({ id: z.string() });
export const jobView = jobSchema.meta({ id: 'Job' });
const jobsQuery = z.strictObject({
  collection: z.string().max(128).optional().meta({ description: 'Only jobs of this collection or alias.' }),
  state: jobStateSchema.optional(),
  tenant: tenantSchema
    .optional()
    .meta({ description: 'Only jobs of this tenant, for keys that can access several.' }),
  source: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .meta({ description: 'Whose `source` or `sourceName` is this.' }),
  text: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .meta({ description: 'Text to find in the id, the collection, the source or its name, ignoring case.' }),
  limit: z.coerce.number().int().min(1).max(1000).default(50),
  after: z.string().regex(PLACE, 'must be the `next` of a page').optional().meta({
    description: 'The `next` of the previous page. Jobs added or removed in between do not shift the page.',
  }),
});
const jobsPage = z.strictObject({
  jobs: z.array(jobView),
  next: z.string().nullable().meta({
    description:
      'Pass this as `after` for the next page; null after the last job. A page with fewer than `limit` jobs may have a next one, because a page also ends after a thousand jobs, or 4 MiB of jobs, were examined.',
  }),
});
/** NDJSON; the schema describes one line. */
const reportLines = (description: string) => ({
  description,
  content: { 'application/x-ndjson': { schema: z.union([documentReportSchema, moreReportsSchema]) } },
});

export function jobRoutes(parts: ApiParts, resubmission: Resubmission): FastifyPluginAsyncZod {
  const { queue, spool, store, webhooks } = parts;
  return async (server) => {
    server.get(
      '/jobs',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'List jobs, newest first, page by page',
          querystring: jobsQuery,
          response: { 200: jobsPage, ...problemResponses },
        },
      },
      async ({ query }) => {
        const alias = (await store.listAliases()).find(({ name }) => name === query.collection);
        return queue.listJobs({ ...query, collection: alias?.collection ?? query.collection });
      },
    );

    server.get(
      '/jobs/:id',
      {
        config: { access: 'submit' },
        schema: { tags, summary: 'One job', params, response: { 200: jobView, ...problemResponses } },
      },
      async (request) => requireJob(request.params.id),
    );

    for (const [kind, summary] of [
      [
        'failures',
        'Get the failed documents, one report per line; a last line {"more": n} counts those not listed',
      ],
      [
        'warnings',
        'Get the replaced or truncated documents, one report per line; a last line {"more": n} counts those not listed',
      ],
    ] as const satisfies [ReportKind, string][]) {
      server.get(
        `/jobs/:id/${kind}`,
        {
          config: { access: 'submit' },
          schema: { tags, summary, params, response: { 200: reportLines(summary), ...problemResponses } },
        },
        async (request, reply) => {
          const job = await requireJob(request.params.id);
          const shown = await shownReports(spool, job.id as JobId, kind);
          return reply
            .type('application/x-ndjson')
            .send(Readable.from(shown, { objectMode: false }) as never);
        },
      );
    }

    server.get(
      '/jobs/:id/webhook-deliveries',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'List the job’s webhook deliveries and their outcomes',
          params,
          response: {
            200: z.strictObject({ deliveries: z.array(webhookDeliverySchema) }),
            ...problemResponses,
          },
        },
      },
      async (request) => {
        const { id } = await requireJob(request.params.id);
        return { deliveries: await webhooks.deliveries(id as JobId) };
      },
    );

    server.post(
      '/jobs/:id/cancel',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Cancel a job; stored documents are kept',
          params,
          response: { 202: jobView, ...problemResponses },
        },
      },
      async (request, reply) => reply.code(202).send(await queue.cancel(request.params.id as JobId)),
    );

    server.patch(
      '/jobs/:id',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Change the priority of an unfinished job',
          params,
          body: z.strictObject({ priority: prioritySchema }),
          response: { 200: jobView, ...problemResponses },
        },
      },
      async (request) => queue.prioritize(request.params.id as JobId, request.body.priority),
    );

    server.delete(
      '/jobs/:id',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Forget a finished job and its failures; stored documents are kept',
          params,
          response: { 204: z.null().describe('Forgotten.'), ...problemResponses },
        },
      },
      async (request, reply) => {
        const id = request.params.id as JobId;
        await queue.forget(id);
        await spool.removeJob(id);
        return reply.code(204).send(null);
      },
    );

    server.post(
      '/jobs/:id/retry',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Retry the failed documents in a new job',
          description: 'Retries all failed documents, or those with some reasons, lines or ids.',
          params,
          body: retrySelectionSchema.nullish(),
          response: { 202: jobView, 200: jobView, ...problemResponses },
        },
      },
      async (request, reply) => {
        const { job, created } = await resubmission.retry(request.params.id as JobId, request, request.body);
        return located(reply, job)
          .code(created ? 202 : 200)
          .send(job);
      },
    );

    server.post(
      '/jobs/:id/verify',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Compare a job’s documents with the store, and submit the missing ones',
          params,
          response: { 200: verificationSchema, ...problemResponses },
        },
      },
      async (request) => resubmission.verify(request.params.id as JobId),
    );

    async function requireJob(id: string): Promise<Job> {
      const job = await queue.getJob(id as JobId);
      if (job === undefined) throw new EmbedmillError('job_not_found', `there is no job ${id}`);
      return job;
    }
  };
}

/** Sets the `Location` of the job. */
export function located<Reply extends Pick<FastifyReply, 'header'>>(reply: Reply, job: Job): Reply {
  reply.header('location', `/api/v1/jobs/${job.id}`);
  return reply;
}
