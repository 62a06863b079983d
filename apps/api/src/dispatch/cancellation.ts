import type { IngestHandle } from '@embedmill/queue';

/** How often a job that does not wait for shards checks for a cancellation. */
const LOOK_MS = 500;

/** The result of the work; undefined if the job was cancelled, because a source may take any time to respond. */
export async function unlessCancelled<T>(
  handle: IngestHandle,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const cancelled = new AbortController();
  const look = async (): Promise<void> => {
    // If a check fails, the next step of the work fails for the same reason and reports it.
    if (await handle.isCancelled().catch(() => false)) cancelled.abort();
  };
  const looking = setInterval(() => void look(), LOOK_MS);
  try {
    return await work(AbortSignal.any([signal, cancelled.signal]));
  } catch (thrown) {
    if (cancelled.signal.aborted && !signal.aborted) return undefined;
    throw thrown;
  } finally {
    clearInterval(looking);
  }
}
