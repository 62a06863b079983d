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
  collection: z.string().max(128).optional().meta({ description: 'Of one collection, or alias.' }),
  state: jobStateSchema.optional(),
  tenant: tenantSchema.optional().meta({ description: 'Of one tenant, by those who see several.' }),
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
    .meta({ description: 'In the id, the collection, the source or its name, in capitals or not.' }),
  limit: z.coerce.number().int().min(1).max(1000).default(50),
  after: z
    .string()
    .regex(PLACE, 'is not the next of a page')
    .optional()
    .meta({ description: 'The `next` of the page before; jobs that come or go meanwhile move no others.' }),
});
const jobsPage = z.strictObject({
  jobs: z.array(jobView),
  next: z.string().nullable().meta({
    description:
      'Ask again with this as `after`; null behind the last job. There may be more although a page has fewer than `limit`: it also ends when a thousand jobs were looked at, or 4 MiB of them.',
  }),
});
/** The schema is a line's. */
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
          summary: 'Jobs, the newest first, a page at a time',
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
        'The documents that failed, one report a line; a last line {"more": n} counts those that are not named',
      ],
      [
        'warnings',
        'The documents that were replaced or truncated, one report a line; a last line {"more": n} counts those that are not named',
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
          summary: 'What the job’s webhook was told, and what came of it',
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
          summary: 'End a job; what is stored stays',
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
          summary: 'Give a job that has not finished another priority',
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
          summary: 'Forget a finished job, with its failures; what is stored stays',
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
          summary: 'Try the failed documents again, as a new job',
          description: 'All of them, or those of some reasons, lines or ids.',
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
          summary: 'Compare a job’s documents with the store; what is missing is submitted',
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

/** Says where the job is. */
export function located<Reply extends Pick<FastifyReply, 'header'>>(reply: Reply, job: Job): Reply {
  reply.header('location', `/api/v1/jobs/${job.id}`);
  return reply;
}
