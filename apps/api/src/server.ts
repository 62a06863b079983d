import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RouteOptions,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { EmbedmillError } from '@embedmill/jobs';
import { withLogFields } from '@embedmill/logs';
import { Allowances } from './access/allowances.ts';
import { auditRequests } from './access/audit.ts';
import { authorizeRequests, type AccessOptions } from './access/authorize.ts';
import { limitLoad, limitPrincipals, type LimitOptions } from './access/limits.ts';
import { QueryUsage } from './access/query-usage.ts';
import { Quotas } from './access/quotas.ts';
import { tenantView } from './access/tenant-view.ts';
import { CONSOLE_FOLDER } from './http/console-files.ts';
import { allowOrigins, isAllowedOrigin } from './http/cors.ts';
import { assertOwnName, assertOwnOrigin } from './http/host-names.ts';
import { JobWatch } from './jobs/job-watch.ts';
import { parseJsonBodies } from './http/json-body.ts';
import { MapTasks } from './map/map-tasks.ts';
import { describeRoutes } from './openapi/openapi.ts';
import type { ApiParts, ServerParts } from './parts.ts';
import { withoutPrefix } from './http/path-prefix.ts';
import { errorOf, problemOf, validateRequest } from './http/problem.ts';
import { QueryLane } from './queries/query-lane.ts';
import { watchRequests } from './http/request-life.ts';
import { accessRoutes } from './routes/access.ts';
import { aliasRoutes } from './routes/aliases.ts';
import { batchRoutes } from './routes/batches.ts';
import { collectionRoutes } from './routes/collections.ts';
import { consoleRoutes } from './routes/console.ts';
import { documentListRoutes } from './routes/document-list.ts';
import { documentRoutes } from './routes/documents.ts';
import { cohereRoutes } from './routes/cohere.ts';
import { embeddingDoors, embeddingRoutes } from './routes/embeddings.ts';
import { eventRoutes, type EventOptions } from './routes/events.ts';
import { datasetPartRoutes } from './routes/dataset-parts.ts';
import { datasetRoutes } from './routes/datasets.ts';
import { deletionRoutes } from './routes/deletions.ts';
import { docsRoutes } from './routes/docs.ts';
import { embedJobRoutes } from './routes/embed-jobs.ts';
import { exportRoutes } from './routes/exports.ts';
import { fileRoutes } from './routes/files.ts';
import { jobDetailRoutes } from './routes/job-details.ts';
import { jobRoutes } from './routes/jobs.ts';
import { mapRoutes } from './routes/map.ts';
import { migrationRoutes } from './routes/migration.ts';
import { modelRoutes } from './routes/models.ts';
import { ollamaRoutes } from './routes/ollama.ts';
import { operationRoutes } from './routes/operations.ts';
import { overviewRoutes } from './routes/overview.ts';
import { queueRoutes } from './routes/queue.ts';
import { rerankRoutes } from './routes/rerank.ts';
import { searchRoutes } from './routes/search.ts';
import { sourceRoutes } from './routes/sources.ts';
import { submissionRoutes } from './routes/submissions.ts';
import { teiRoutes } from './routes/tei.ts';
import { teiTokenRoutes } from './routes/tei-tokens.ts';
import { uploadRoutes } from './routes/uploads.ts';
import { usageRoutes } from './routes/usage.ts';
import { SourceWatching } from './sources/source-watching.ts';
import { Resubmission } from './ingest/resubmission.ts';
import { Submission } from './ingest/submission.ts';
import { traceRequests } from './http/request-spans.ts';
import { receiveBodies } from './ingest/upload.ts';

/** A connection that is silent for this long is dead: a hanging upload must not keep its partial file forever. */
const SILENCE_MS = 120_000;
/** How long a request's headers may take to arrive. */
const HEADERS_MS = 15_000;
const HEARTBEAT_MS = 15_000;
/**
 * The maximum length of a document's id in a URL: 512 characters, each up to three bytes of UTF-8, each encoded as `%`
 * and two digits.
 */
const MAX_PARAM_LENGTH = 512 * 3 * 3;
/** Requested by machines every few seconds; logged only for debugging. */
const QUIET = new Set(['/startupz', '/healthz', '/readyz', '/metrics']);

export interface ServerOptions extends EventOptions {
  /** How often to check whether a watched source is due, in milliseconds. */
  watchMs?: number;
  /** How often streams of current activity send an event, in milliseconds. */
  overviewMs?: number;
  /** The folder of the built console. */
  consoleFolder?: string;
  /** Called for each added route. */
  onRoute?: (route: RouteOptions) => void;
}

const NO_KEYS: AccessOptions = {
  keysFile: undefined,
  oidc: undefined,
  metricsKey: undefined,
  auditFile: undefined,
};
const USUAL_LIMITS: LimitOptions = { maxRequests: 64, maxUploads: 16, maxStreams: 256 };

/**
 * The HTTP server with its parts, ready to listen. Closing it stops new requests, ends event streams, and waits for the
 * requests in flight; the parts stay open, and their creator closes them.
 */
export async function buildServer(
  whole: ServerParts,
  options: ServerOptions = { heartbeatMs: HEARTBEAT_MS },
): Promise<FastifyInstance> {
  const { queue, config, log } = whole;
  const allowances = whole.allowances ?? new Allowances(undefined, log);
  const quotas = new Quotas(queue, allowances, (by) => whole.metrics.quotaRefusals.add(1, { by }));
  const usage = new QueryUsage(queue, log);
  const parts = tenantView(whole, { check: quotas.check.bind(quotas), add: usage.add.bind(usage) });
  const server: FastifyInstance = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    // Log lines get their request from `withLogFields`: a logger per request would be the largest cost of a refusal.
    childLoggerFactory: (logger) => logger,
    connectionTimeout: SILENCE_MS,
    http: { headersTimeout: HEADERS_MS, connectionsCheckingInterval: HEADERS_MS / 4 },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    rewriteUrl: ({ url = '/' }) => withoutPrefix(url, config.pathPrefix ?? ''),
    frameworkErrors: answerUnroutable,
    exposeHeadRoutes: false,
  });
  if (options.onRoute !== undefined) server.addHook('onRoute', options.onRoute);
  server.setValidatorCompiler(validateRequest);
  // Responses are checked at compile time, by types of the same schemas.
  server.setSerializerCompiler(() => (data) => JSON.stringify(data));
  const { names } = config;
  if (names !== undefined)
    server.addHook('onRequest', async ({ headers }) => assertOwnName(headers.host, names));
  watchRequests(server);
  const access = config.access ?? NO_KEYS;
  const origins = config.corsOrigins ?? [];
  if (access.keysFile === undefined && access.oidc === undefined)
    server.addHook('onRequest', async ({ method, headers }) => {
      if (!isAllowedOrigin(headers.origin, origins)) assertOwnOrigin(method, headers, names ?? []);
    });
  // Before authentication, because a browser's preflight request has no key.
  if (origins.length > 0) await allowOrigins(server, origins);
  receiveBodies(server);
  parseJsonBodies(server);
  answerErrors(server);
  observeRequests(server, parts);
  if (parts.tracing?.isOn === true) traceRequests(server, parts.tracing);
  await describeRoutes(server);
  auditRequests(server, access.auditFile, log);
  const keys = authorizeRequests(server, access, queue.apiKeys, log);
  await limitLoad(server, config.limits ?? USUAL_LIMITS);
  await limitPrincipals(server);

  const watch = new JobWatch((id) => queue.getJob(id));
  server.addHook('preClose', async () => watch.close());
  const lane = new QueryLane(parts, config.queryTimeoutMs, (model, outcome) =>
    parts.metrics.queries.add(1, { model, outcome }),
  );
  const submission = new Submission(parts);
  server.addHook('onClose', () => submission.settled());
  server.addHook('onClose', () => usage.close());
  const keysByName = keys?.named.bind(keys);
  const watching = new SourceWatching({ ...whole, own: parts, keys: keysByName });
  server.addHook('onListen', async () => watching.start(options.watchMs));
  server.addHook('preClose', () => watching.close());
  const maps = new MapTasks(parts, queue);
  server.addHook('preClose', () => maps.close());
  const routes = server.withTypeProvider<ZodTypeProvider>();
  await routes.register(
    async (api) => {
      api.addHook('onRoute', takeNoOtherParameters);
      await api.register(collectionRoutes(parts));
      await api.register(aliasRoutes(parts));
      await api.register(submissionRoutes(parts, submission));
      await api.register(sourceRoutes(parts, watching, keysByName, log));
      await api.register(jobRoutes(parts, new Resubmission(parts)));
      await api.register(jobDetailRoutes(parts));
      await api.register(deletionRoutes(parts, submission));
      await api.register(exportRoutes(parts, submission));
      await api.register(eventRoutes(parts, watch, options));
      await api.register(searchRoutes(parts, lane));
      await api.register(documentListRoutes(parts));
      await api.register(documentRoutes(parts, lane));
      await api.register(mapRoutes(parts, maps));
      await api.register(migrationRoutes(parts, submission));
      await api.register(modelRoutes(parts));
      await api.register(queueRoutes(parts));
      await api.register(usageRoutes(parts));
      await api.register(overviewRoutes(parts, options));
      await api.register(accessRoutes(access, keys));
    },
    { prefix: '/api/v1' },
  );
  await routes.register(embeddingRoutes(parts, lane), { prefix: '/v1' });
  await routes.register(fileRoutes(parts), { prefix: '/v1' });
  await routes.register(uploadRoutes(parts), { prefix: '/v1' });
  await routes.register(batchRoutes(parts), { prefix: '/v1' });
  await routes.register(datasetRoutes(parts), { prefix: '/v1' });
  await routes.register(datasetPartRoutes(whole.spool, log), { prefix: '/v1' });
  await routes.register(embedJobRoutes(parts), { prefix: '/v1' });
  await routes.register(embeddingDoors(parts, lane));
  await routes.register(cohereRoutes(parts, lane));
  await routes.register(rerankRoutes(parts, lane));
  await routes.register(teiRoutes(parts, lane));
  await routes.register(teiTokenRoutes(parts, lane));
  await routes.register(ollamaRoutes(parts, lane));
  await routes.register(operationRoutes(parts));
  await routes.register(docsRoutes);
  await routes.register(
    consoleRoutes({ folder: options.consoleFolder ?? CONSOLE_FOLDER, issuer: access.oidc?.issuer }),
  );
  return server;
}

/**
 * Unknown query parameters are refused, like unknown fields; otherwise `?tenant=` on a search would be silently
 * ignored.
 */
function takeNoOtherParameters(route: RouteOptions): void {
  route.schema = { querystring: z.strictObject({}), ...route.schema };
}

/** Requests without a route get errors in the same format. */
function answerUnroutable(thrown: Error, request: FastifyRequest, reply: FastifyReply): void {
  const { message } = thrown;
  const error = new EmbedmillError('invalid_request', message.slice(0, 300), { cause: thrown });
  reply.code(error.status).type('application/problem+json').send(problemOf(error, request));
}

function answerErrors(server: FastifyInstance): void {
  server.setErrorHandler((thrown, request, reply) => {
    const error = errorOf(thrown);
    if (error.status >= 500) {
      server.log.error(
        { err: error, request: request.id, route: request.routeOptions.url },
        'a request failed',
      );
    }
    if (error.retryAfter !== undefined) reply.header('retry-after', Math.ceil(error.retryAfter));
    return reply.code(error.status).type('application/problem+json').send(problemOf(error, request));
  });
  server.setNotFoundHandler((request) => {
    throw new EmbedmillError('not_found', `there is nothing at ${request.method} ${request.url}`);
  });
}

function observeRequests(server: FastifyInstance, { metrics }: ApiParts): void {
  // After the body was read, because its stream has no request context.
  server.addHook('preHandler', (request, _, done) => withLogFields({ request: request.id }, done));
  server.addHook('onResponse', async (request, reply) => {
    const { method } = request;
    const route = request.routeOptions.url ?? 'unknown';
    // Refusals under overload only count in metrics, because logging them would add load.
    const level = QUIET.has(route) || reply.statusCode === 429 ? 'debug' : 'info';
    const ms = Math.round(reply.elapsedTime);
    server.log[level](
      { request: request.id, method, route, params: request.params, status: reply.statusCode, ms },
      'request',
    );
    if (route.endsWith('/events')) return;
    metrics.httpSeconds.observe(reply.elapsedTime / 1000, {
      method: method as 'GET',
      route,
      status: `${Math.floor(reply.statusCode / 100)}xx` as '2xx',
    });
  });
}
