import { setTimeout } from 'node:timers/promises';
import type { IngestHandle, IngestRecord, JobSubmission } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';

/**
 * Deletions that search the store (by a filter, or for what a snapshot lacks) must wait for older jobs. If documents
 * are named, the order of execution does not matter, because their tombstones reject older writes. But a document that
 * an older job has not written yet is not found, and would stay. So these deletions search once all jobs accepted
 * before them have ended. No job waits for a later one, so there is no deadlock. Anything that older jobs write even
 * later is handled by range-tombstones.ts.
 */
export function isDeletionByFilter({ purpose, source }: Pick<IngestRecord, 'purpose' | 'source'>): boolean {
  return purpose === 'ingest' && source.kind === 'collection';
}

/** Resolves once they have ended; to false if the job was cancelled meanwhile. Rejects with the signal's reason. */
export async function olderJobsEnded(
  handle: IngestHandle,
  { spool, pollMs }: { spool: Pick<Spool, 'readRecord'>; pollMs: number },
  signal: AbortSignal,
): Promise<boolean> {
  let older = await handle.olderJobs();
  for (;;) {
    older = await unfinishedOf(older, handle, { spool });
    if (older.length === 0) return true;
    if (await handle.isCancelled()) return false;
    await setTimeout(pollMs, undefined, { signal });
  }
}

/** Those of these jobs that have not ended. */
export async function unfinishedOf(
  jobs: readonly JobSubmission[],
  handle: IngestHandle,
  { spool }: { spool: Pick<Spool, 'readRecord'> },
): Promise<JobSubmission[]> {
  const left: JobSubmission[] = [];
  for (const writer of jobs) {
    const state = await handle.stateOfWriter(writer);
    // A job that the queue has lost is restored from the spool.
    const isLost = state === undefined && (await spool.readRecord(writer.id, 'unfinished')) !== undefined;
    if (state === 'unfinished' || isLost) left.push(writer);
  }
  return left;
}
