import type { IncomingMessage } from 'node:http';
import { EmbedmillError } from '@embedmill/jobs';

/** How slowly a body may arrive. */
export interface BodyPace {
  /** In each window of `windowMs`; the server's own processing time does not count. */
  bytesPerSecond: number;
  windowMs: number;
  /** For the whole body, whatever its size; unlimited by default. */
  totalMs?: number;
}

/** The maximum of `setTimeout`. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Slower than any real link for a large body, but fast enough that occupying a slot costs the client something. */
export const USUAL_PACE: BodyPace = { bytesPerSecond: 1024, windowMs: 20_000 };

/**
 * A body's bytes, while they arrive fast enough. Leaving the loop early keeps the connection open, so that a response can be
 * sent. Errors: `body_too_slow`, and those of a broken connection.
 */
export async function* pacedBytes(
  body: IncomingMessage,
  { bytesPerSecond, windowMs, totalMs = Infinity }: BodyPace,
): AsyncGenerator<Buffer, void> {
  const least = (bytesPerSecond * windowMs) / 1000;
  const chunks = body.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  let left = { windowMs, totalMs, bytes: least };
  try {
    for (;;) {
      const began = performance.now();
      const result = await withinMs(chunks.next(), Math.min(left.windowMs, left.totalMs));
      if (result === 'late') throw tooSlow(bytesPerSecond, totalMs);
      if (result.done === true) return;
      const waitedMs = performance.now() - began;
      left = {
        windowMs: left.windowMs - waitedMs,
        totalMs: left.totalMs - waitedMs,
        bytes: left.bytes - result.value.length,
      };
      if (left.bytes <= 0) left = { ...left, windowMs, bytes: least };
      yield result.value;
    }
  } finally {
    // Not awaited, because it would not end if nothing arrives.
    void chunks.return?.();
  }
}

async function withinMs<T>(promise: Promise<T>, milliseconds: number): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), Math.max(0, Math.min(milliseconds, LONGEST_TIMER_MS)));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function tooSlow(bytesPerSecond: number, totalMs: number): EmbedmillError {
  const whole = totalMs === Infinity ? '' : ` and complete within ${totalMs / 1000} s`;
  const message = `the body arrived too slowly; send at least ${bytesPerSecond} bytes per second${whole}`;
  return new EmbedmillError('body_too_slow', message, { retryAfter: 1 });
}
