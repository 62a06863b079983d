import { asEmbedmillError, type EmbedmillError, type JobId } from '@embedmill/jobs';
import { parseRecord, type IngestRecord } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';
import { collectionModels } from '../collections/collection.ts';
import type { ApiParts } from '../parts.ts';

type Parts = Pick<ApiParts, 'queue' | 'store' | 'log'> & {
  spool: ApiParts['spool'] & Pick<Spool, 'unfinishedJobs'>;
};

/**
 * Gives the queue back what it lost: jobs that the spool knows as unfinished, and the models that collections use. A
 * Redis that dies without its append-only file, or with a file that was cut, forgets what it was told last.
 *
 * Called when the API starts, and whenever Redis is back after it was away; again, when it rejects with what may pass.
 * Doing it twice, or in two processes, does no harm: a job's record keeps its id, and documents that are stored are not
 * embedded again.
 */
export async function recoverJobs(parts: Parts): Promise<void> {
  const { queue, spool, store, log } = parts;
  let failure: EmbedmillError | undefined;
  for (const id of await spool.unfinishedJobs()) {
    try {
      const recovered = await recoverJob(id, parts);
      if (recovered !== undefined)
        log.warn({ job: id }, 'the queue did not have the job; it was submitted again');
    } catch (thrown) {
      const error = asEmbedmillError(thrown);
      log.warn({ job: id, err: error }, 'the job cannot be recovered now');
      // A defect of ours, or a record that cannot be read, keeps no other job waiting.
      if (error.code !== 'internal') failure ??= error;
    }
  }
  for (const model of new Set((await store.listCollections()).flatMap(collectionModels)))
    await queue.announceModel(model);
  if (failure !== undefined) throw failure;
}

/** Submits a job again that the queue does not have; undefined when there is nothing to do. */
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
