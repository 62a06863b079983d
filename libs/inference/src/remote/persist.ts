import { setTimeout as delay } from 'node:timers/promises';
import { UpstreamFailure, type FailureKind } from './failure.ts';
import type { Attempt } from './upstream.ts';

export interface Persistence {
  /**
   * The time for all attempts and the pauses between them. One attempt gets half of it, so that a hanging one leaves
   * time for another.
   */
  deadlineMs: number;
  /** Ends it at once, with the signal's reason. */
  signal: AbortSignal;
  onPause: (failure: UpstreamFailure, pauseMs: number) => void;
}

/**
 * The number of attempts, including the first. Temporary failures are retried as long as there is time; failures that
 * the batch may cause only a few times; failures that would repeat, never.
 */
const MOST_TRIES: Record<FailureKind, number> = {
  away: Infinity,
  lost: 3,
  slow: 2,
  broken: 3,
  garbled: 1,
  refused: 1,
  denied: 1,
  missing: 1,
};
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;

/** Sends a request, with retries after growing pauses as long as they can help. Throws the last `UpstreamFailure`. */
export async function persist<T>(
  send: (attempt: Attempt) => Promise<T>,
  { deadlineMs, signal, onPause }: Persistence,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (let tries = 1; ; tries += 1) {
    let pauseMs: number;
    try {
      const timeoutMs = Math.min(deadlineMs / 2, end - performance.now());
      return await send({ timeoutMs, signal });
    } catch (thrown) {
      signal.throwIfAborted();
      if (!(thrown instanceof UpstreamFailure)) throw thrown;
      pauseMs = pauseAfter(tries, thrown);
      if (tries >= MOST_TRIES[thrown.kind] || performance.now() + pauseMs >= end) throw thrown;
      onPause(thrown, pauseMs);
    }
    // Only the signal ends it early; the next attempt checks it.
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Adds jitter, so that requests that were refused together do not return together. */
function pauseAfter(tries: number, { retryAfter = 0 }: UpstreamFailure): number {
  const backoff = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tries - 1));
  return retryAfter * 1000 + backoff * (0.5 + Math.random() / 2);
}
