import type { IngestHandle } from '@embedmill/queue';

/** How soon a job is cancelled that does not wait for shards. */
const LOOK_MS = 500;

/** What the work gives; undefined when the job was cancelled meanwhile: a source may take as long as whoever serves it likes. */
export async function unlessCancelled<T>(
  handle: IngestHandle,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const cancelled = new AbortController();
  const look = async (): Promise<void> => {
    // What keeps a look from succeeding keeps the work's next step from it, too, and is told there.
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
