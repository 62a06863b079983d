import type { FastifyRequest } from 'fastify';
import { asEmbedmillError, isFinished, type Collection, type Job, type JobId } from '@embedmill/jobs';
import { jobIdOfKey, newJobId, storedIn, type NewJob } from '@embedmill/queue';
import { currentPrincipal } from '../access/principal.ts';
import type { ApiParts } from '../parts.ts';

export interface Submitted {
  job: Job;
  /** False when the Idempotency-Key was used for the same request before. */
  created: boolean;
}

/** Where the documents of a job come from, as metrics count it. */
export type SubmissionKind =
  | 'upload'
  | 'inline'
  | 'path'
  | 's3'
  | 'url'
  | 'files'
  | 'retry'
  | 'verify'
  | 'collection'
  | 'deletion'
  | 'batch'
  | 'dataset'
  | 'watch';

type AcceptingParts = Pick<ApiParts, 'queue' | 'spool' | 'metrics' | 'log' | 'config'>;

/**
 * The job is in the spool before it is on the queue, so that it is not lost where the queue loses it. Afterwards
 * the spool has what the id stands for, and no source that no job was made of.
 */
export async function acceptJob(
  kind: SubmissionKind,
  given: NewJob,
  parts: AcceptingParts,
): Promise<Submitted> {
  const { queue, spool, metrics, log, config } = parts;
  const job = { ...given, metadataBytes: config.metadataBytes };
  let kept = false;
  let created = false;
  try {
    const submitted = await queue.submit(job, async (record) => {
      kept = true;
      await spool.keepRecord(job.id, record, 'unfinished');
    });
    created = submitted.created;
    if (created) {
      metrics.jobs.add(1, { source: kind });
      const of = job.retryOf === null ? '' : ` of ${job.retryOf}`;
      queue.noteJob(job.id, { level: 'info', event: 'accepted', text: `accepted: ${kind}${of}` });
    }
    log.info({ job: job.id, collection: job.collection.name, kind, created }, 'a job was submitted');
    return submitted;
  } catch (thrown) {
    // Whether the queue has it is not known: should it, the job is whole; should it not, it is recovered.
    created = kept && asEmbedmillError(thrown).code === 'queue_unavailable';
    throw thrown;
  } finally {
    if (!created) await withdraw(job, kept, parts);
  }
}

/** Removes what a submission left that no job was made of. */
async function withdraw(
  { id, source }: NewJob,
  kept: boolean,
  { queue, spool }: AcceptingParts,
): Promise<void> {
  if (kept) {
    const record = await queue.getSubmission(id);
    if (record === undefined || isFinished(record.state)) await spool.forgetRecord(id);
    else await spool.keepRecord(id, record, 'unfinished');
  }
  for (const stored of storedIn(source)) await spool.removeSource(stored);
}

/** The id of the job that a request makes. */
export function idFor(collection: Pick<Collection, 'name' | 'createdAt'>, request: FastifyRequest): JobId {
  const { tenant } = currentPrincipal();
  const key = request.headers['idempotency-key'];
  return typeof key === 'string' ? jobIdOfKey(collection, key, tenant) : newJobId();
}
