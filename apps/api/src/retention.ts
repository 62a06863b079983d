import { setTimeout } from 'node:timers/promises';
import { isFinished, type JobId } from '@embedmill/jobs';
import type { Queue, RetainedJob } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';
import type { DispatcherLog } from './dispatcher.ts';

/** How long finished jobs are kept. The queue and the spool are bounded by it. */
export interface RetentionPolicy {
  ageMs: number;
  /** That long where documents failed, or the job itself, and nobody has retried it with success or forgotten it. */
  failuresAgeMs: number;
  /** Jobs of either kind at most; the oldest go first. */
  jobs: number;
}

export interface RetentionParts {
  queue: Queue;
  spool: Spool;
  policy: RetentionPolicy;
  log: DispatcherLog;
}

/** A folder of the spool that no job has, this long after something was written to it, belongs to a crash. */
const ABANDONED_MS = 24 * 3600 * 1000;
const INTERVAL_MS = 60_000;

/** Jobs whose time has come, the oldest first. Pure. */
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
 * Removes jobs whose time has come with what the spool has of them, and what the spool has of no job at all. Killed at
 * any point, the next sweep goes on; two at once do no harm.
 */
export async function sweep(
  { queue, spool, policy, log }: RetentionParts,
  now = Date.now(),
): Promise<{ jobs: number; folders: number }> {
  // Before the jobs: a folder made meanwhile may have a job that is not listed.
  const folders = await spool.listJobs();
  const jobs = await queue.retainedJobs();
  const expired = expiredJobs(jobs, policy, now);
  for (const id of expired) {
    // The job goes first: without its folder it would promise a retry that cannot be.
    await queue.remove(id);
    await spool.removeJob(id);
  }
  // Of a job that the queue lost and that has not been given back yet, all is needed.
  const known = new Set([...jobs.map(({ id }) => id), ...(await spool.unfinishedJobs())]);
  const abandoned = folders.filter(({ job, modified }) => !known.has(job) && now - modified > ABANDONED_MS);
  for (const { job } of abandoned) await spool.removeJob(job);
  const removed = { jobs: expired.length, folders: abandoned.length };
  if (removed.jobs + removed.folders > 0) log.info(removed, 'expired jobs were removed');
  return removed;
}

/** Sweeps once a minute, one process at a time of those on the same queue. */
export function startSweeping(parts: RetentionParts, intervalMs = INTERVAL_MS): { close(): Promise<void> } {
  const stop = new AbortController();
  const running = (async () => {
    while (!stop.signal.aborted) {
      await turn().catch((error: unknown) =>
        parts.log.warn({ err: error }, 'expired jobs could not be removed; it is tried again'),
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
