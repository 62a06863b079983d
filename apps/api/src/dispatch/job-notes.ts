import type { JobNote } from '@embedmill/jobs';
import type { IngestHandle } from '@embedmill/queue';
import type { JobEnd, RunningJob } from './running-job.ts';
import type { Turns } from './turns.ts';

/** A job that waits this long notes it in its log. */
const NOTED_WAIT_MS = 5000;

/** Notes that the job waits to be scanned, unless the timer is cleared before. */
export function noteScanWait(handle: Pick<IngestHandle, 'note'>): NodeJS.Timeout {
  const text = 'it waits until other sources have been scanned';
  return setTimeout(() => handle.note({ level: 'info', event: 'scan_waits', text }), NOTED_WAIT_MS);
}

/** Runs a job and notes in its log if it waits for room on the queue. */
export async function runNoted(
  job: RunningJob,
  handle: IngestHandle,
  turns: Turns,
  signal: AbortSignal,
): Promise<JobEnd> {
  const waiting = setTimeout(() => {
    if (job.isEnding || job.shards.outstanding > 0) return;
    handle.note({
      level: 'info',
      event: 'room_waits',
      text: 'it waits for its turn because the queue is full',
    });
  }, NOTED_WAIT_MS);
  try {
    return await turns.run(job, signal);
  } finally {
    clearTimeout(waiting);
  }
}

/** How it ended. */
export function endNote({
  state,
  progress: { stored, skipped, failed },
  error,
}: IngestHandle['record']): JobNote {
  const counts = `${stored} stored, ${skipped} skipped, ${failed} failed`;
  const why = error === null ? '' : `: ${error.code}: ${error.message}`;
  const level = state === 'failed' ? 'error' : failed > 0 ? 'warn' : 'info';
  return { level, event: 'ended', text: `${state}${why}; ${counts}` };
}
