import type { Job as BullJob } from 'bullmq';
import { EmbedmillError, type Job } from '@embedmill/jobs';
import type { IngestRecord, NewJob } from './ingest-record.ts';
import { viewOf } from './job-view.ts';

/**
 * The existing job, as the answer to a repeated submission. Errors: `idempotency_conflict` if the submissions differ.
 */
export function sameJob(existing: BullJob<IngestRecord>, wanted: NewJob): Job {
  const { data } = existing;
  const isSame =
    data.digest === wanted.digest &&
    data.collection.name === wanted.collection.name &&
    data.tenant === wanted.tenant;
  if (!isSame) {
    throw new EmbedmillError(
      'idempotency_conflict',
      `this Idempotency-Key was already used for job ${data.id} with a different body; use a new key`,
    );
  }
  return viewOf(data, existing.timestamp);
}
