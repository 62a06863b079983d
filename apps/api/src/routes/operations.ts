import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { runChecks } from '@embedmill/metrics';
import type { ApiParts } from '../parts.ts';
import { serveQueueGauges } from '../overview/queue-gauges.ts';

const tags = ['operations'];
const healthSchema = z
  .strictObject({
    ok: z.boolean(),
    parts: z.record(z.string(), z.strictObject({ ok: z.boolean(), detail: z.string().optional() })),
  })
  .meta({ id: 'Health' });

/** Endpoints for operators: liveness, readiness, and metrics. */
export function operationRoutes({ queue, store, metrics }: ApiParts): FastifyPluginAsyncZod {
  serveQueueGauges(queue, metrics);
  let description: string | undefined;
  return async (server) => {
    server.get(
      '/healthz',
      {
        config: { access: 'open' },
        schema: { tags, summary: 'Liveness: whether the server is alive', response: { 200: healthSchema } },
      },
      async () => ({ ok: true, parts: {} }),
    );

    server.get(
      '/startupz',
      {
        config: { access: 'open' },
        schema: { tags, summary: 'Startup: whether the server has started', response: { 200: healthSchema } },
      },
      async () => ({ ok: true, parts: {} }),
    );

    server.get(
      '/readyz',
      {
        config: { access: 'open' },
        schema: {
          tags,
          summary: 'Readiness: whether the queue and the store respond',
          response: { 200: healthSchema, 503: healthSchema },
        },
      },
      async (_request, reply) => {
        const report = await runChecks({ queue: () => queue.ping(), store: () => store.ping() });
        return reply.code(report.ok ? 200 : 503).send(report);
      },
    );

    server.get(
      '/metrics',
      {
        config: { access: 'metrics' },
        schema: { tags, summary: 'Metrics for Prometheus', response: { 200: z.string() } },
      },
      async (_request, reply) => {
        const { contentType, body } = await metrics.render();
        return reply.header('content-type', contentType).send(body);
      },
    );

    server.get(
      '/openapi.json',
      { config: { access: 'open' }, schema: { hide: true } },
      async (_request, reply) => {
        // Built once: it takes a while, and anybody may request it.
        description ??= JSON.stringify(server.swagger());
        return reply.type('application/json').send(description);
      },
    );
  };
}
