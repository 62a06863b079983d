import { EmbedmillError } from '@embedmill/jobs';
import type { IngestHandle } from '@embedmill/queue';

/** The most losses of a dispatcher's lock at one place of a scan. */
const MOST_LOSSES = 3;

/**
 * Ends a job whose source kills dispatchers, because it would kill the next one too. This does not apply to running jobs
 * whose source is scanned, because they do not depend on work in the dispatcher. Errors: `dispatcher_lost`.
 */
export async function assertNotLosing(handle: IngestHandle): Promise<void> {
  const { record, lockLosses } = handle;
  if (record.state === 'running' && record.unscanned === undefined) return;
  const place = placeOf(record);
  const { lostAt } = record;
  if (lostAt?.place !== place) {
    // The loss that led here, if there was one, was at this place.
    handle.record = { ...record, lostAt: { place, losses: Math.max(0, lockLosses - 1) } };
    await handle.save();
    return;
  }
  if (lockLosses - lostAt.losses < MOST_LOSSES) return;
  const message = `dispatchers died or lost their lock ${MOST_LOSSES} times while they read the job's ${place === 'source' ? 'source' : 'lines'}, so it is not retried; see the API's log for the reason, and submit the job in smaller parts`;
  throw new EmbedmillError('dispatcher_lost', message);
}

/** What a dispatcher reads for the job next. */
function placeOf({ fetched, unscanned }: IngestHandle['record']): string {
  if (unscanned !== undefined) return `manifest-${unscanned.section}`;
  return fetched === null ? 'source' : 'manifest';
}
