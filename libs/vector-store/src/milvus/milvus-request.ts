import { setTimeout } from 'node:timers/promises';
import { EmbedmillError } from '@embedmill/jobs';

/** The number of attempts, including the first. All our requests are idempotent. */
const MOST_TRIES = 3;
const FIRST_WAIT = 0.2;

/** gRPC codes for a missing response, or for temporary failures. */
const NO_ANSWER: Record<number, string> = {
  4: 'no response in time',
  8: 'the server is too busy',
  14: 'no response',
};
const DEADLINE = 4;
const TOO_BUSY = 8;
/** Milvus' own codes: the collection does not exist; rate and memory limits. */
const NOT_FOUND = 100;
const THROTTLED: ReadonlySet<number> = new Set([8, 9]);

/** Milvus' status of a request; `code` is 0 on success. */
interface Status {
  code?: number | undefined;
  error_code?: string | number | undefined;
  reason?: string | undefined;
  detail?: string | undefined;
  retriable?: boolean | undefined;
}

/**
 * Sends a request, with retries if the server is unreachable or too busy.
 *
 * @param what the action, for messages
 * @param triesAfterTimeout whether to retry after a timeout, too
 * @throws EmbedmillError `store_unavailable`, `store_rejected` or `collection_not_found`
 */
export async function request<T>(
  what: string,
  send: () => Promise<T>,
  { triesAfterTimeout, onThrottled }: { triesAfterTimeout: boolean; onThrottled?: (() => void) | undefined },
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    let thrown: unknown;
    try {
      const answer = await send();
      const status = statusIn(answer);
      if (isDone(status)) return answer;
      thrown = status;
    } catch (error) {
      // The client throws some responses unchanged.
      thrown = error instanceof Error ? error : (statusIn(error) ?? error);
    }
    const { code } = (thrown ?? {}) as Status;
    if (code !== undefined && (code === TOO_BUSY || THROTTLED.has(code))) onThrottled?.();
    const failure = failureOf(thrown, what);
    const isLast = tries >= MOST_TRIES || (code === DEADLINE && !triesAfterTimeout);
    if (!failure.retryable || isLast) throw failure;
    // Adds jitter, so that workers that were refused together do not return together.
    await setTimeout(FIRST_WAIT * 2 ** (tries - 1) * 1000 * (1 + Math.random() / 4));
  }
}

/** A response is a status, or contains one. */
function statusIn(answer: unknown): Status | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined;
  const { status } = answer as { status?: Status | null };
  return status ?? ('error_code' in answer ? (answer as Status) : undefined);
}

function isDone(status: Status | undefined): boolean {
  if (status === undefined) return true;
  return status.error_code === 'Success' || (status.error_code === 0 && (status.code ?? 0) === 0);
}

function failureOf(thrown: unknown, what: string): EmbedmillError {
  const { code, reason, detail, retriable } = (thrown ?? {}) as Status;
  const isGrpc = thrown instanceof Error;
  const why = isGrpc ? grpcMessage(thrown) : (reason ?? '') || (detail ?? '') || 'no reason given';
  const message = `${what}: ${why.slice(0, 500)}`;
  if (!isGrpc && code === NOT_FOUND)
    return new EmbedmillError('collection_not_found', message, { cause: thrown });
  const noAnswer = isGrpc && code !== undefined ? NO_ANSWER[code] : undefined;
  if (noAnswer !== undefined)
    return new EmbedmillError('store_unavailable', `${what}: ${noAnswer} (${why.slice(0, 200)})`, {
      cause: thrown,
    });
  if (!isGrpc && (retriable === true || (code !== undefined && THROTTLED.has(code))))
    return new EmbedmillError('store_unavailable', message, { cause: thrown });
  const advice = isGrpc && (code === 16 || code === 7) ? '; check MILVUS_TOKEN' : '';
  return new EmbedmillError('store_rejected', `${message}${advice}`, { cause: thrown });
}

/** gRPC's message without its code; for a failed connection, the reason. */
function grpcMessage({ message }: Error): string {
  const [, refused] = /Last error: Error: (.+?)\. Resolution note:/.exec(message) ?? [];
  return refused ?? message.replace(/^\d+ [A-Z_]+: /, '');
}
