import type { FastifyRequest } from 'fastify';
import {
  asEmbedmillError,
  FIRST_SECTION_BYTES,
  isFinished,
  sectionsOf,
  type Collection,
  type Job,
  type JobId,
} from '@embedmill/jobs';
import { jobIdOfKey, newJobId, storedIn, type NewJob } from '@embedmill/queue';
import { currentPrincipal } from '../access/principal.ts';
import type { ApiParts } from '../parts.ts';

export interface Submitted {
  job: Job;
  /** False if the Idempotency-Key was used for the same request before. */
  created: boolean;
}

/** The source of a job's documents, for metrics. */
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
 * The job is stored in the spool before it is added to the queue, so that it survives if the queue loses it. Afterwards the
 * spool has the job of the id, and no source without a job.
 */
export async function acceptJob(
  kind: SubmissionKind,
  given: NewJob,
  parts: AcceptingParts,
): Promise<Submitted> {
  const { queue, spool, metrics, log, config } = parts;
  const sections = given.sections ?? sectionsFor(given, config.sectionBytes);
  const job = { ...given, metadataBytes: config.metadataBytes, sections };
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
    // It is unknown whether the queue has it: if so, the job is complete; if not, it will be recovered.
    created = kept && asEmbedmillError(thrown).code === 'queue_unavailable';
    throw thrown;
  } finally {
    if (!created) await withdraw(job, kept, parts);
  }
}

/**
 * The sections of a large source whose documents are stored, as of an upload of NDJSON. A snapshot, and a file of vectors, need
 * all lines at once; of other sources the size is not known yet; and a job that repeats another has that one's sections.
 */
function sectionsFor(
  { purpose, mode, sequence, source }: NewJob,
  first = FIRST_SECTION_BYTES,
): NewJob['sections'] {
  if (purpose !== 'ingest' || mode === 'snapshot' || sequence !== undefined) return undefined;
  if (source.kind !== 'file' && source.kind !== 's3') return undefined;
  return source.size > first ? sectionsOf(source.size, first) : undefined;
}

/** Removes what a submission without a job left. */
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

/** The id of the job of a request. */
export function idFor(collection: Pick<Collection, 'name' | 'createdAt'>, request: FastifyRequest): JobId {
  const { tenant } = currentPrincipal();
  const key = request.headers['idempotency-key'];
  return typeof key === 'string' ? jobIdOfKey(collection, key, tenant) : newJobId();
}
