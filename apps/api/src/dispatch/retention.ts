import { setTimeout } from 'node:timers/promises';
import { isFinished, type CollectionName, type JobId } from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';
import type { Queue, RetainedJob } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';
import type { VectorStore } from '@embedmill/vector-store';
import { sweepClientRecords } from '../batches/batch-retention.ts';
import { endForgottenLoads } from './bulk-loads.ts';

/** How long finished jobs are kept, which bounds the queue and the spool. */
export interface RetentionPolicy {
  ageMs: number;
  /** The same for jobs that failed, or have failed documents, until they are successfully retried or forgotten. */
  failuresAgeMs: number;
  /** The most jobs of either kind; the oldest are removed first. */
  jobs: number;
  /** For clients' files without their own expiry; thirty days by default. */
  filesAgeMs?: number;
}

export interface RetentionParts {
  queue: Queue;
  spool: Spool;
  store: Pick<VectorStore, 'listCollections' | 'purgeTombstones' | 'loads'>;
  policy: RetentionPolicy;
  log: Pick<Log, 'info' | 'warn'>;
}

/** A spool folder without a job, this long after the last write to it, was left by a crash. */
const ABANDONED_MS = 24 * 3600 * 1000;
const FILES_MS = 30 * ABANDONED_MS;
const INTERVAL_MS = 60_000;
/** A submission or deletion accepted this long ago is on the queue, or its process has died. */
const ACCEPTED_MS = 3600_000;

/** Expired jobs, oldest first. Pure. */
export function expiredJobs(jobs: readonly RetainedJob[], policy: RetentionPolicy, now: number): JobId[] {
  const retried = new Set(jobs.flatMap((job) => (job.state === 'completed' ? [job.retryOf] : [])));
  const finished = jobs
    .filter((job) => job.isSettled && isFinished(job.state))
    .sort((a, b) => b.finishedAt - a.finishedAt);
  const hasFailed = (job: RetainedJob): boolean =>
    (job.failed > 0 || job.state === 'failed') && !retried.has(job.id);
  const over = (kind: RetainedJob[], ageMs: number): RetainedJob[] =>
    kind.filter((job, newer) => newer >= policy.jobs || now - job.finishedAt > ageMs);
  return [
    ...over(
      finished.filter((job) => hasFailed(job)),
      policy.failuresAgeMs,
    ),
    ...over(
      finished.filter((job) => !hasFailed(job)),
      policy.ageMs,
    ),
  ]
    .sort((a, b) => a.finishedAt - b.finishedAt)
    .map(({ id }) => id);
}

/**
 * Removes expired jobs with their data in the spool, and spool data without a job; ends loads that nobody has ended. If it
 * is killed at any point, the next sweep continues; concurrent sweeps do no harm.
 */
export async function sweep(
  { queue, spool, store, policy, log }: RetentionParts,
  now = Date.now(),
): Promise<{ jobs: number; folders: number }> {
  // Read before the jobs, because a folder created later may have a job that is not listed.
  const folders = await spool.listJobs();
  const jobs = await queue.retainedJobs();
  const expired = expiredJobs(jobs, policy, now);
  for (const id of expired) {
    // The job is removed first: without its folder it would offer an impossible retry.
    await queue.remove(id);
    await spool.removeJob(id);
  }
  // All data is needed of a job that the queue lost and that is not restored yet.
  const known = new Set([...jobs.map(({ id }) => id), ...(await spool.unfinishedJobs())]);
  const abandoned = folders.filter(({ job, modified }) => !known.has(job) && now - modified > ABANDONED_MS);
  for (const { job } of abandoned) await spool.removeJob(job);
  await endForgottenLoads({ queue, spool, store, log });
  await purgeTombstones(
    jobs.filter(({ id }) => !expired.includes(id)),
    { queue, spool, store, log },
    now,
  );
  await sweepClientRecords({ queue, spool, log }, policy.filesAgeMs ?? FILES_MS, now);
  const removed = { jobs: expired.length, folders: abandoned.length };
  if (removed.jobs + removed.folders > 0) log.info(removed, 'removed expired jobs');
  return removed;
}

/**
 * Purges the tombstones and range tombstones of deletions that are older than everything that may still be written: jobs
 * that have not ended or can be repeated, and recently accepted submissions.
 */
async function purgeTombstones(
  jobs: readonly RetainedJob[],
  { queue, spool, store, log }: Pick<RetentionParts, 'queue' | 'spool' | 'store' | 'log'>,
  now: number,
): Promise<void> {
  const known = new Set<string>(jobs.map(({ id }) => id));
  // Jobs that the queue has lost and that are not restored yet are not among its writers.
  if ((await spool.unfinishedJobs()).some((id) => !known.has(id))) return;
  const accepted = 1000 * (now - ACCEPTED_MS);
  // Read before the collections, so that every collection with range tombstones is listed.
  const withRanges = await spool.rangeTombstones.collections();
  const collections = await store.listCollections();
  for (const name of withRanges)
    if (!collections.some((one) => one.name === name)) await spool.rangeTombstones.removeAll(name);
  for (const { name, twin } of collections) {
    // A copy writes documents under their original sequences, and jobs of the twin write here, too.
    if (twin !== undefined) continue;
    const oldest = await queue.oldestSequence(name, (job) => known.has(job), accepted);
    // Jobs from before sequences existed are not among the writers, and older than everything.
    const isOld = jobs.some((job) => job.collection === name && job.sequence === 0 && mayWrite(job));
    if (isOld) continue;
    const below = Math.min(oldest ?? accepted, accepted);
    for (const key of await spool.rangeTombstones.list(name))
      if (key.sequence < below) await spool.rangeTombstones.remove(name, key);
    const purged = await store.purgeTombstones(name as CollectionName, below);
    if (purged > 0) log.info({ collection: name, tombstones: purged }, 'purged tombstones');
  }
}

const mayWrite = ({ state, failed }: RetainedJob): boolean => !isFinished(state) || failed > 0;

/** Sweeps once a minute, in one process at a time per queue. */
export function startSweeping(parts: RetentionParts, intervalMs = INTERVAL_MS): { close(): Promise<void> } {
  const stop = new AbortController();
  const running = (async () => {
    while (!stop.signal.aborted) {
      await turn().catch((error: unknown) =>
        parts.log.warn({ err: error }, 'cannot remove expired jobs; retrying'),
      );
      await setTimeout(intervalMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  })();
  return {
    async close() {
      stop.abort();
      await running;
    },
  };

  async function turn(): Promise<void> {
    if (await parts.queue.takeTurn('sweep', Math.ceil((0.9 * intervalMs) / 1000))) await sweep(parts);
  }
}
