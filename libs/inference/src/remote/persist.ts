import { setTimeout as delay } from 'node:timers/promises';
import { UpstreamFailure, type FailureKind } from './failure.ts';
import type { Attempt } from './upstream.ts';

export interface Persistence {
  /** All tries and the pauses between them; one try gets half of it, so that one that hangs leaves time for another. */
  deadlineMs: number;
  /** Ends it at once, with what it was aborted with. */
  signal: AbortSignal;
  onPause: (failure: UpstreamFailure, pauseMs: number) => void;
}

/**
 * Tries, the first included. What passes by itself is waited for as long as there is time; what a batch may be the
 * cause of is not done to the upstream again and again; what would be answered alike is not asked twice.
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

/** Sends a request, again after longer and longer pauses while that can help. Throws the last `UpstreamFailure`. */
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
    // Ended early only by the signal, which the next try looks at.
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Spread out, so that requests that were turned away together do not come back together. */
function pauseAfter(tries: number, { retryAfter = 0 }: UpstreamFailure): number {
  const backoff = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tries - 1));
  return retryAfter * 1000 + backoff * (0.5 + Math.random() / 2);
}
