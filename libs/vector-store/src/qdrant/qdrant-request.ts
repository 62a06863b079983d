import { EmbedmillError } from '@embedmill/jobs';
import { setTimeout } from 'node:timers/promises';

/** Tries of a request, the first included. Every request of ours can be repeated. */
const MOST_TRIES = 3;
/** Seconds: a server that asks for more is left to the caller, who has other work to do. */
const LONGEST_WAIT = 5;
const FIRST_WAIT = 0.2;

/**
 * Sends a request, again when the server cannot be reached or is too busy.
 *
 * @param what what is done, for messages: `Qdrant, collection "x"`
 * @param triesAfterTimeout whether what was not answered in time is asked again, too
 * @param onThrottled called for each answer that says that there are too many requests
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
      // Spread out, so that workers that were turned away together do not come back together.
      await setTimeout(wait * 1000 * (1 + Math.random() / 4));
    }
  }
}

/** The name of the client's error where there was no answer in time. */
const TIMEOUT = 'QdrantClientTimeoutError';

/** What the client throws: an answer's `status` and `data`, or `retry_after` of a 429, or neither when there was none. */
interface Thrown {
  status?: unknown;
  data?: unknown;
  retry_after?: unknown;
}

/** A 429, which the client throws with its status, or with what its `retry-after` says. */
function isThrottled(thrown: unknown): boolean {
  const { status, retry_after: retryAfter } = (thrown ?? {}) as Thrown;
  return status === 429 || typeof retryAfter === 'number';
}

/** The client's own, or the server's of a search that took it too long. */
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

/** Qdrant says what is wrong in `{status: {error}}`; a proxy in front of it says anything. */
function serverMessage(data: unknown): string {
  const said = (data as { status?: { error?: unknown } } | null | undefined)?.status?.error ?? data;
  return (typeof said === 'string' ? said : JSON.stringify(said ?? '')).slice(0, 500);
}
