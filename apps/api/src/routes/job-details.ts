import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { EmbedmillError, jobLogLineSchema, type JobId } from '@embedmill/jobs';
import { failureReasons, failureReasonsSchema } from '../jobs/failure-reasons.ts';
import { jobDetailsOf, jobDetailsSchema, servingShards } from '../jobs/job-details.ts';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../http/problem.ts';
import { shownReports } from '../jobs/shown-reports.ts';

const tags = ['jobs'];
const params = z.object({ id: z.string() });

/** Diagnostics of one job: why it waits, where its time goes, and why its documents failed. */
export function jobDetailRoutes({ queue, spool, config }: ApiParts): FastifyPluginAsyncZod {
  return async (server) => {
    server.get(
      '/jobs/:id/details',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Get why a job waits, where its time goes, and what it has used',
          params,
          response: { 200: jobDetailsSchema, ...problemResponses },
        },
      },
      async ({ params: { id } }) => {
        const [job, record] = await Promise.all([
          queue.getJob(id as JobId),
          queue.getSubmission(id as JobId),
        ]);
        if (job === undefined || record === undefined) throw noJob(id);
        const { model } = record.collection.profile;
        const [serving, { present }] = await Promise.all([queue.servingOf(model), queue.workers()]);
        const isServed = servingShards(model, serving, present);
        return jobDetailsOf(job, record, isServed, config.prices ?? new Map<string, number>());
      },
    );

    server.get(
      '/jobs/:id/log',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Get the last lines of a job’s log, oldest first',
          params,
          response: { 200: z.strictObject({ lines: z.array(jobLogLineSchema) }), ...problemResponses },
        },
      },
      async ({ params: { id } }) => ({ lines: await queue.jobLog(id as JobId) }),
    );

    server.get(
      '/jobs/:id/failure-reasons',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Get the failures of a job by reason, with samples',
          params,
          response: { 200: failureReasonsSchema, ...problemResponses },
        },
      },
      async ({ params: { id } }) => {
        if ((await queue.getJob(id as JobId)) === undefined) throw noJob(id);
        return failureReasons(await shownReports(spool, id as JobId, 'failures'));
      },
    );
  };
}

function noJob(id: string): EmbedmillError {
  return new EmbedmillError('job_not_found', `there is no job ${id}`);
}
