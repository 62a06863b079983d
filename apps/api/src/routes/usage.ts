import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { dayOf, USAGE_DIMENSIONS, usageDimensionSchema, usageReportSchema } from '@embedmill/jobs';
import { problemResponses, refusedField } from '../http/problem.ts';
import type { ApiParts } from '../parts.ts';
import { usageCsv, usageReport } from '../access/usage-report.ts';

const DAY_MS = 24 * 3600 * 1000;
const DEFAULT_DAYS = 30;
const MOST_DAYS = 400;

const query = z.strictObject({
  from: z.iso
    .date()
    .optional()
    .meta({ description: 'The first day, in UTC; by default 29 days before `to`.' }),
  to: z.iso.date().optional().meta({ description: 'The last day, in UTC; today by default.' }),
  groupBy: z
    .string()
    .default('day,tenant,collection,model')
    .transform((list) => list.split(',').filter((name) => name !== ''))
    .pipe(z.array(usageDimensionSchema))
    .meta({
      description: `The dimensions to group by, separated by commas: ${USAGE_DIMENSIONS.join(', ')}.`,
    }),
  format: z.enum(['json', 'csv']).default('json'),
});

/** `GET /usage`: what was embedded, by tenant. A key that is bound to a tenant sees only that tenant's usage. */
export function usageRoutes({ queue, config }: ApiParts): FastifyPluginAsyncZod {
  return async (server) => {
    server.get(
      '/usage',
      {
        config: { access: 'any' },
        schema: {
          tags: ['operations'],
          summary: 'Get documents, tokens, engine seconds and cost by day, key, tenant, collection and model',
          querystring: query,
          response: { 200: usageReportSchema, ...problemResponses },
        },
      },
      async (request, reply) => {
        const { to = dayOf(Date.now()), groupBy, format } = request.query;
        const last = Date.parse(to);
        const { from = dayOf(last - (DEFAULT_DAYS - 1) * DAY_MS) } = request.query;
        const days = (last - Date.parse(from)) / DAY_MS + 1;
        if (days < 1) throw refusedField('from', `it is after the last day, ${to}`);
        if (days > MOST_DAYS)
          throw refusedField('from', `these are ${days} days; the maximum is ${MOST_DAYS}`);
        const prices = config.prices ?? new Map<string, number>();
        const report = usageReport(await queue.usage(from, to), { from, to, groupBy, prices });
        if (format === 'json') return report;
        return reply.type('text/csv; charset=utf-8').send(usageCsv(report) as never);
      },
    );
  };
}
