import type { FastifyInstance, FastifySchemaCompiler } from 'fastify';
import { z } from 'zod';
import { givenParameters, parseRequest } from './absent-fields.ts';
import {
  asEmbedmillError,
  EmbedmillError,
  errorCodeSchema,
  ERRORS,
  type ErrorCode,
  type ErrorDetail,
} from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';

/** An error as clients see it (RFC 9457). */
export const problemSchema = z
  .strictObject({
    type: z.string().meta({ description: '`urn:embedmill:error:` followed by the code.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'What was wrong, where, and what to do.' }),
    code: errorCodeSchema,
    instance: z.string().meta({ description: 'The path of the request.' }),
    errors: z
      .array(z.strictObject({ path: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'Each fault of the request, by its path in the body or query.' }),
    retryable: z.boolean().meta({ description: 'Whether the same request can succeed later.' }),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problemSchema>;

const problemContent = { content: { 'application/problem+json': { schema: problemSchema } } };
/** The error responses of every route, for its schema. */
export const problemResponses = {
  '4xx': { description: 'The request was refused.', ...problemContent },
  '5xx': { description: 'The server cannot handle the request now.', ...problemContent },
};

/** Fastify's errors with a code in the catalogue. */
const FASTIFY_CODES: Partial<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'upload_incomplete',
};
/** The framework reports unparsable bodies and forbidden keys with the same error. */
const INVALID_JSON =
  'the body is not valid JSON, or has a key that is not allowed: "__proto__", or "constructor" with a "prototype"';

/** Converts what a handler threw to an error of the catalogue. */
export function errorOf(thrown: unknown): EmbedmillError {
  if (thrown instanceof EmbedmillError || !(thrown instanceof Error)) return asEmbedmillError(thrown);
  const code = 'code' in thrown && typeof thrown.code === 'string' ? FASTIFY_CODES[thrown.code] : undefined;
  if (code !== undefined) {
    const message = code === 'invalid_json' ? INVALID_JSON : thrown.message;
    return new EmbedmillError(code, message, { cause: thrown });
  }
  const status = 'statusCode' in thrown ? Number(thrown.statusCode) : 500;
  return asEmbedmillError(thrown, status >= 400 && status < 500 ? 'invalid_request' : 'internal');
}

/** What a client may be told: of internal errors only that they are in the log. */
export function publicMessage(error: EmbedmillError, requestId: string): string {
  return error.code === 'internal'
    ? `an internal error of embedmill; see request ${requestId} in its log`
    : error.message;
}

/** The fault of one field of a request. */
export function refusedField(path: string, message: string): EmbedmillError {
  return new EmbedmillError('invalid_request', `${path}: ${message}`, { details: [{ path, message }] });
}

/** Returns the errors of some routes in the format of the API whose clients call them. */
export function answerErrorsAs(
  server: FastifyInstance,
  log: Pick<Log, 'error'>,
  shapeOf: (error: EmbedmillError, message: string, request: { body: unknown }) => object,
): void {
  server.setErrorHandler((thrown, request, reply) => {
    const error = errorOf(thrown);
    if (error.status >= 500)
      log.error({ err: error, request: request.id, route: request.routeOptions.url }, 'a request failed');
    if (error.retryAfter !== undefined) reply.header('retry-after', Math.ceil(error.retryAfter));
    return reply.code(error.status).send(shapeOf(error, publicMessage(error, request.id), request));
  });
}

export function problemOf(error: EmbedmillError, request: { id: string; url: string }): Problem {
  const { title, status, retryable } = ERRORS[error.code];
  return {
    type: `urn:embedmill:error:${error.code}`,
    title,
    status,
    detail: publicMessage(error, request.id),
    code: error.code,
    instance: request.url.split('?', 1)[0] ?? '/',
    ...(error.details.length > 0 && { errors: error.details }),
    retryable,
  };
}

/** Checks requests by their zod schemas; faults come with their path. */
export const validateRequest: FastifySchemaCompiler<z.ZodType> =
  ({ schema, httpPart }) =>
  (data: unknown) => {
    const isQuery = httpPart === 'querystring';
    const parsed = parseRequest(schema, isQuery ? givenParameters(data) : data);
    if (parsed.success) return { value: parsed.data };
    if (httpPart === 'body' && (data === undefined || data === null)) {
      return { error: new EmbedmillError('invalid_request', 'the request has no body; send one as JSON') };
    }
    return { error: invalidRequest(parsed.error) };
  };

/** For a route that checks its body itself. */
export const validateButBody: FastifySchemaCompiler<unknown> = ({ schema, httpPart, ...route }) =>
  httpPart === 'body' || !(schema instanceof z.ZodType)
    ? (value: unknown) => ({ value })
    : validateRequest({ schema, ...route, ...(httpPart !== undefined && { httpPart }) });

/** Otherwise a completely wrong body would get a response several times its size. */
const MAX_DETAILS = 50;
/** For an unknown key of a request. */
const MAX_PATH_CHARACTERS = 200;

/** Zod's findings as `invalid_request` with a path for each. */
export function invalidRequest(error: z.ZodError): EmbedmillError {
  const all = detailsOf(error.issues);
  const details = all.slice(0, MAX_DETAILS);
  const message = [
    ...details.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)),
    ...(all.length > MAX_DETAILS ? [`and ${all.length - MAX_DETAILS} more`] : []),
  ].join('; ');
  return new EmbedmillError('invalid_request', message, { details });
}

type Issue = z.core.$ZodIssue;

function detailsOf(issues: readonly Issue[], above: readonly PropertyKey[] = []): ErrorDetail[] {
  return issues.flatMap((issue) => {
    const path = [...above, ...issue.path];
    switch (issue.code) {
      case 'invalid_union':
        return issue.errors.length === 0
          ? [detailAt(path, issue.message)]
          : detailsOf(closest(issue.errors), path);
      case 'unrecognized_keys':
        return issue.keys.map((key) => detailAt([...path, key], 'unknown field'));
      case 'invalid_key':
      case 'invalid_element':
        return detailsOf(issue.issues, path);
      default:
        return [detailAt(path, issue.message)];
    }
  });
}

/** The most likely meant branch of a union: one of the right shape, then the one with the fewest faults. */
function closest(branches: readonly (readonly Issue[])[]): readonly Issue[] {
  const strangeness = (issues: readonly Issue[]) =>
    issues.reduce((sum, issue) => sum + (issue.path.length === 0 ? 10 : 1), 0);
  return branches.reduce((best, branch) => (strangeness(branch) < strangeness(best) ? branch : best));
}

function detailAt(path: readonly PropertyKey[], message: string): ErrorDetail {
  return { path: path.map(String).join('/').slice(0, MAX_PATH_CHARACTERS), message };
}
