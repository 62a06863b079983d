import type { components } from './api.ts';

/**
 * A code of the server's catalogue, or one of two for other failures: `unreachable` if nothing responded or the connection
 * broke, `unexpected_answer` if something other than embedmill responded.
 */
export type ErrorCode = components['schemas']['ErrorCode'] | 'unreachable' | 'unexpected_answer';

/** One fault of a request, and its place. */
export interface ErrorDetail {
  path: string;
  message: string;
}

/** An error. Decide by `code`; `message` tells what was wrong, where, and what to do. */
export class EmbedmillError extends Error {
  readonly code: ErrorCode;
  /** A short title of the problem, if the server sent one. */
  readonly title: string | undefined;
  /** The status of the response; undefined without a response. */
  readonly status: number | undefined;
  /** Whether the same request can succeed later. */
  readonly retryable: boolean;
  readonly details: readonly ErrorDetail[];
  /** Seconds to wait before a retry, if the server sent them. */
  readonly retryAfter: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      status?: number;
      title?: string;
      retryable?: boolean;
      details?: readonly ErrorDetail[];
      retryAfter?: number | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'EmbedmillError';
    this.code = code;
    this.title = options.title;
    this.status = options.status;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? [];
    this.retryAfter = options.retryAfter;
  }

  /** The place of the first fault in the request. */
  get path(): string | undefined {
    return this.details[0]?.path;
  }
}

/** Nothing responded, or the connection broke. */
export function unreachable(url: string, cause: unknown): EmbedmillError {
  const message = `no embedmill responds at ${url} (${reasonOf(cause)})`;
  return new EmbedmillError('unreachable', message, { retryable: true, cause });
}

/** Interprets an error response. `body` is its JSON, or its text if it is not JSON. */
export function errorOf(url: string, response: Response, body: unknown): EmbedmillError {
  const { status } = response;
  const retryAfter = retryAfterOf(response);
  if (isProblem(body)) {
    const { code, title, detail, retryable, errors } = body;
    return new EmbedmillError(code, detail ?? title, {
      status,
      title,
      retryable,
      details: errors ?? [],
      retryAfter,
    });
  }
  if (isOpenaiError(body)) {
    const { message, param, code } = body.error;
    const details = param === null ? [] : [{ path: param, message }];
    return new EmbedmillError(code, message, { status, retryable: mayPass(status), details, retryAfter });
  }
  const said = typeof body === 'string' ? body : JSON.stringify(body ?? '');
  const message = `${url} answered ${status}: ${said.slice(0, 200)}`;
  return new EmbedmillError('unexpected_answer', message, { status, retryable: mayPass(status), retryAfter });
}

/** Seconds, from a number or a date (RFC 9110, section 10.2.3). */
function retryAfterOf({ headers }: Response): number | undefined {
  const said = headers.get('retry-after');
  if (said === null) return undefined;
  const seconds = /^\d+$/.test(said) ? Number(said) : (Date.parse(said) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}

/** Whether a response with this status is transient. */
export function mayPass(status: number): boolean {
  return status === 429 || status === 502 || status === 503 || status === 504;
}

type Problem = Partial<components['schemas']['Problem']> & Pick<components['schemas']['Problem'], 'code'>;

function isProblem(body: unknown): body is Problem & { title: string; retryable: boolean } {
  return isObject(body) && typeof body['code'] === 'string' && typeof body['title'] === 'string';
}

function isOpenaiError(
  body: unknown,
): body is { error: { message: string; param: string | null; code: ErrorCode } } {
  if (!isObject(body) || !isObject(body['error'])) return false;
  return typeof body['error']['message'] === 'string' && typeof body['error']['code'] === 'string';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Why a connection failed, from the most specific error. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch only reports "fetch failed"; its cause has the reason and, if several addresses were tried, their causes have it.
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error.cause;
  return inner instanceof Error ? reasonOf(inner) : error.message;
}
