/**
 * Why a request to an upstream gave no vectors, and what can be concluded:
 *
 * - `away`: nothing was run. It cannot be reached, or says that it is busy or not ready (408, 425, 429, 503).
 * - `lost`: the connection broke during the request, also behind a gateway (502); the request may have crashed it.
 * - `slow`: no complete answer within our time limit or a gateway's (504).
 * - `broken`: it reports an internal error (424 of TEI, other 5xx).
 * - `garbled`: it reports success, but the answer does not conform to the API.
 * - `refused`: it does not accept this request (400, 413, 422, other 4xx).
 * - `denied`: it does not accept our key (401, 402, 403).
 * - `missing`: it has no such path or model (404, 405, 410, redirects).
 */
export type FailureKind = 'away' | 'lost' | 'slow' | 'broken' | 'garbled' | 'refused' | 'denied' | 'missing';

export class UpstreamFailure extends Error {
  readonly kind: FailureKind;
  /** The answer's status, if there was one. */
  readonly status: number | undefined;
  /** Seconds that the upstream asks to wait. */
  readonly retryAfter: number | undefined;

  constructor(
    kind: FailureKind,
    message: string,
    options: { status?: number; retryAfter?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'UpstreamFailure';
    this.kind = kind;
    this.status = options.status;
    this.retryAfter = options.retryAfter;
  }
}

export function kindOfStatus(status: number): FailureKind {
  switch (status) {
    case 401:
    case 402:
    case 403:
      return 'denied';
    case 404:
    case 405:
    case 410:
      return 'missing';
    case 408:
    case 425:
    case 429:
    case 503:
      return 'away';
    case 424:
      return 'broken';
    case 502:
      return 'lost';
    case 504:
      return 'slow';
    default:
      if (status >= 500) return 'broken';
      return status >= 400 ? 'refused' : 'missing';
  }
}

/** Follows an answer's status and text in a message: what to do, if known. */
export function adviceFor(kind: FailureKind, hasKey: boolean, location: string | null): string {
  switch (kind) {
    case 'denied':
      return hasKey
        ? '; check the key and whether it may use this model'
        : '; it requires a key, but none is set';
    case 'missing':
      return location === null
        ? '; the path or the model does not exist: check the URL and the model’s name'
        : `; it redirects to ${location}: check the URL`;
    case 'away':
    case 'lost':
    case 'slow':
    case 'broken':
    case 'garbled':
    case 'refused':
      return '';
  }
}

/** Error codes of established connections that broke; with any other code, nothing reached the upstream. */
const BREAKS = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);
/** The codes of `fetch`'s own deadlines of 5 minutes. */
const WAITS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** The failure for an error from `fetch`, whose cause has the reason. */
export function failureOfThrown(thrown: unknown, at: string): UpstreamFailure {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  const { code } = cause as { code?: unknown };
  const why = [typeof code === 'string' ? code : '', cause instanceof Error ? cause.message : String(cause)]
    .filter((part) => part !== '')
    .join(', ');
  if (WAITS.has(String(code))) {
    return new UpstreamFailure('slow', `${at} did not respond completely (${why})`, { cause: thrown });
  }
  const isBroken = BREAKS.has(String(code)) || String(code).startsWith('HPE_');
  return isBroken
    ? new UpstreamFailure('lost', `${at} closed the connection (${why})`, { cause: thrown })
    : new UpstreamFailure('away', `${at} cannot be reached (${why}); is it running?`, { cause: thrown });
}
