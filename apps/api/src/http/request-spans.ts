import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { RequestSpan, Tracing } from '@embedmill/tracing';

/** Requested by machines every few seconds. */
const UNTRACED = new Set(['/healthz', '/readyz', '/metrics']);

/** A span for each request, in which its handler runs. */
export function traceRequests(server: FastifyInstance, tracing: Tracing): void {
  const spans = new WeakMap<FastifyRequest, RequestSpan>();
  server.addHook('onRequest', async (request) => {
    if (UNTRACED.has(request.routeOptions.url ?? '')) return;
    spans.set(request, tracing.startRequest(request.headers));
  });
  // Not earlier, because reading a body runs in the socket's context, not in the request's.
  server.addHook('preHandler', (request, _reply, done) => {
    const span = spans.get(request);
    if (span === undefined) done();
    else span.run(done);
  });
  server.addHook('onResponse', async (request, reply) => {
    const { method } = request;
    const route = request.routeOptions.url ?? 'unknown';
    spans.get(request)?.end(
      `${method} ${route}`,
      {
        'http.request.method': method,
        'http.route': route,
        'http.response.status_code': reply.statusCode,
      },
      reply.statusCode >= 500,
    );
  });
}
