import { setTimeout } from 'node:timers/promises';
import type { IngestHandle, IngestRecord, JobSubmission } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';

/**
 * What a deletion by a filter, or of what a snapshot lacks, has to wait for: of documents that are looked for in the store. Of documents that are named it does not
 * matter who is first: their tombstones keep older writes away. But what an older job has not written yet is not found,
 * and would stay. So these deletions look once the jobs have ended that were accepted before theirs. No job waits for a
 * later one, so that none waits forever. What older jobs write later still is for range-tombstones.ts.
 */
export function isDeletionByFilter({ purpose, source }: Pick<IngestRecord, 'purpose' | 'source'>): boolean {
  return purpose === 'ingest' && source.kind === 'collection';
}

/** Resolves once they have ended: to false when the job was cancelled meanwhile. Rejects with the signal's reason. */
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
    // What the queue has lost is given back from the spool.
    const isLost = state === undefined && (await spool.readRecord(writer.id, 'unfinished')) !== undefined;
    if (state === 'unfinished' || isLost) left.push(writer);
  }
  return left;
}
