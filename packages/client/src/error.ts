import type { components } from './api.ts';

/**
 * A code of the server's catalogue, or one of two for what no embedmill said: `unreachable` where nobody answered or the
 * connection broke, `unexpected_answer` where something else did.
 */
export type ErrorCode = components['schemas']['ErrorCode'] | 'unreachable' | 'unexpected_answer';

/** One thing that is wrong with a request, and where in it. */
export interface ErrorDetail {
  path: string;
  message: string;
}

/** What went wrong. Decide by `code`; `message` says what was wrong, where, and what to do. */
export class EmbedmillError extends Error {
  readonly code: ErrorCode;
  /** What kind of problem it is, in a few words, where the server said so. */
  readonly title: string | undefined;
  /** Of the answer; undefined where there was none. */
  readonly status: number | undefined;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  readonly details: readonly ErrorDetail[];
  /** Seconds after which it is worth trying again, where the server said so. */
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

  /** Where in the request the first thing is that is wrong. */
  get path(): string | undefined {
    return this.details[0]?.path;
  }
}

/** Nobody answered, or the connection broke. */
export function unreachable(url: string, cause: unknown): EmbedmillError {
  const message = `no embedmill responds at ${url} (${reasonOf(cause)})`;
  return new EmbedmillError('unreachable', message, { retryable: true, cause });
}

/** What an answer that is none means. `body` is its JSON, or its text where it is none. */
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

/** Seconds, of a number or a date (RFC 9110, section 10.2.3). */
function retryAfterOf({ headers }: Response): number | undefined {
  const said = headers.get('retry-after');
  if (said === null) return undefined;
  const seconds = /^\d+$/.test(said) ? Number(said) : (Date.parse(said) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}

/** Whether an answer with this status may become another one by itself. */
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

/** Why a connection failed, in the words of whoever knows best. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch says no more than "fetch failed"; its cause says why, and where several addresses were tried, theirs do.
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error.cause;
  return inner instanceof Error ? reasonOf(inner) : error.message;
}
