import { asEmbedmillError, type EmbedmillError, type JobId } from '@embedmill/jobs';
import { parseRecord, type IngestRecord } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';
import { collectionModels } from '../collections/collection.ts';
import type { ApiParts } from '../parts.ts';

type Parts = Pick<ApiParts, 'queue' | 'store' | 'log'> & {
  spool: ApiParts['spool'] & Pick<Spool, 'unfinishedJobs'>;
};

/**
 * Restores what the queue lost: jobs that are unfinished in the spool, and the models that collections use. A Redis that
 * dies without its append-only file, or with a truncated one, forgets its latest writes.
 *
 * Called when the API starts, whenever Redis is available again, and again after a transient error. It is idempotent, also
 * across processes: a job's record keeps its id, and stored documents are not embedded again.
 */
export async function recoverJobs(parts: Parts): Promise<void> {
  const { queue, spool, store, log } = parts;
  let failure: EmbedmillError | undefined;
  for (const id of await spool.unfinishedJobs()) {
    try {
      const recovered = await recoverJob(id, parts);
      if (recovered !== undefined) log.warn({ job: id }, 'the queue had lost the job; submitted it again');
    } catch (thrown) {
      const error = asEmbedmillError(thrown);
      log.warn({ job: id, err: error }, 'cannot recover the job now');
      // An internal error, or an unreadable record, does not block other jobs.
      if (error.code !== 'internal') failure ??= error;
    }
  }
  for (const model of new Set((await store.listCollections()).flatMap(collectionModels)))
    await queue.announceModel(model);
  if (failure !== undefined) throw failure;
}

/** Submits a job again if the queue lost it; undefined if there is nothing to do. */
export async function recoverJob(
  id: JobId,
  { queue, spool }: Pick<ApiParts, 'queue' | 'spool'>,
): Promise<IngestRecord | undefined> {
  if ((await queue.getSubmission(id)) !== undefined) return undefined;
  const kept = await spool.readRecord(id, 'unfinished');
  if (kept === undefined) return undefined;
  const record = parseRecord(kept);
  const finished = await spool.readRecord(id, 'finished');
  if (finished !== undefined && parseRecord(finished).submission === record.submission) {
    await spool.forgetRecord(id);
    return undefined;
  }
  await queue.restore(record);
  return record;
}
