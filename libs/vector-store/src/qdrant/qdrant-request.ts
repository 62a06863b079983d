import { EmbedmillError } from '@embedmill/jobs';
import { setTimeout } from 'node:timers/promises';

/** The number of attempts, including the first. All our requests are idempotent. */
const MOST_TRIES = 3;
/** In seconds: if a server asks for a longer wait, the request fails, so that the caller can do other work. */
const LONGEST_WAIT = 5;
const FIRST_WAIT = 0.2;

/**
 * Sends a request, with retries if the server is unreachable or too busy.
 *
 * @param what the target, for messages: `Qdrant, collection "x"`
 * @param triesAfterTimeout whether to retry after a timeout, too
 * @param onThrottled called for each "too many requests" response
 * @throws EmbedmillError `store_unavailable`, `store_rejected`, or `collection_not_found` (of a 404).
 */
export async function request<T>(
  what: string,
  send: () => Promise<T>,
  { triesAfterTimeout, onThrottled }: { triesAfterTimeout: boolean; onThrottled?: (() => void) | undefined },
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await send();
    } catch (thrown) {
      if (isThrottled(thrown)) onThrottled?.();
      const failure = failureOf(thrown, what);
      const wait = failure.retryAfter ?? FIRST_WAIT * 2 ** (tries - 1);
      const isLast = tries >= MOST_TRIES || (isTimeout(thrown) && !triesAfterTimeout);
      if (!failure.retryable || isLast || wait > LONGEST_WAIT) throw failure;
      // Adds jitter, so that workers that were refused together do not return together.
      await setTimeout(wait * 1000 * (1 + Math.random() / 4));
    }
  }
}

/** The name of the client's timeout error. */
const TIMEOUT = 'QdrantClientTimeoutError';

/**
 * What the client throws: a response's `status` and `data`, or `retry_after` of a 429, or neither without a response.
 */
interface Thrown {
  status?: unknown;
  data?: unknown;
  retry_after?: unknown;
}

/** Whether it is a 429, which the client throws with its status or its `retry-after`. */
function isThrottled(thrown: unknown): boolean {
  const { status, retry_after: retryAfter } = (thrown ?? {}) as Thrown;
  return status === 429 || typeof retryAfter === 'number';
}

/** A timeout of the client, or of the server for a slow search. */
function isTimeout(thrown: unknown): boolean {
  return thrown instanceof Error && (thrown.name === TIMEOUT || (thrown as Thrown).status === 408);
}

function failureOf(thrown: unknown, what: string): EmbedmillError {
  const { status, data, retry_after: retryAfter } = (thrown ?? {}) as Thrown;
  const unavailable = (why: string, options: { retryAfter?: number } = {}) =>
    new EmbedmillError('store_unavailable', `${what}: ${why}`, { cause: thrown, ...options });

  if (typeof retryAfter === 'number') return unavailable('the server is too busy', { retryAfter });
  if (thrown instanceof Error && thrown.name === TIMEOUT) return unavailable('no response in time');
  if (typeof status !== 'number') {
    const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
    return unavailable(`no response (${cause instanceof Error ? cause.message : String(cause)})`);
  }
  const answer = `status ${status}, ${serverMessage(data)}`;
  if (status === 429 || status === 408 || status >= 500) return unavailable(answer);
  if (status === 404)
    return new EmbedmillError('collection_not_found', `${what}: ${answer}`, { cause: thrown });
  const advice = status === 401 || status === 403 ? '; check QDRANT_API_KEY' : '';
  return new EmbedmillError('store_rejected', `${what}: ${answer}${advice}`, { cause: thrown });
}

/** Qdrant's error is in `{status: {error}}`; a proxy in front of it may return anything. */
function serverMessage(data: unknown): string {
  const said = (data as { status?: { error?: unknown } } | null | undefined)?.status?.error ?? data;
  return (typeof said === 'string' ? said : JSON.stringify(said ?? '')).slice(0, 500);
}
