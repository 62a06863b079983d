import type { FastifyRequest } from 'fastify';
import { EmbedmillError, isFinished, type JobId, type Verification } from '@embedmill/jobs';
import { newJobId, sourceOf, type NewJob } from '@embedmill/queue';
import { acceptJob, idFor, type Submitted } from './accepted-job.ts';
import { requireCollectionOf } from '../collections/collection.ts';
import type { ApiParts } from '../parts.ts';
import { recoverJob } from '../dispatch/recovery.ts';
import { selectedBy, type RetrySelection } from './retry-selection.ts';
import { JobComparison } from './verification.ts';

/** What is done again as a whole. */
const WITHOUT_RETRY: { [Purpose in NewJob['purpose']]?: string } = {
  export: 'an export',
  compare: 'a dry run',
  batch: 'a batch',
  dataset: 'an embed job',
};

/** Turns the unfinished part of a job into a new job under its sequence. */
export class Resubmission {
  readonly #parts: ApiParts;

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  /**
   * A new job with the failed documents, or a selection of them. Errors: `job_not_found`, `job_not_finished`,
   * `nothing_to_retry`, `invalid_request`.
   */
  async retry(
    id: JobId,
    request: FastifyRequest,
    selection: RetrySelection | null | undefined,
  ): Promise<Submitted> {
    const { queue, spool, store } = this.#parts;
    const record = await queue.getSubmission(id);
    if (record === undefined) throw new EmbedmillError('job_not_found', `there is no job ${id}`);
    if (!isFinished(record.state)) {
      const message = `job ${id} is ${record.state}; its failures can be retried once it has finished`;
      throw new EmbedmillError('job_not_finished', message, { retryAfter: 2 });
    }
    const what = WITHOUT_RETRY[record.purpose];
    if (what !== undefined) {
      const message = `job ${id} is ${what}, which cannot be retried; submit it again`;
      throw new EmbedmillError('nothing_to_retry', message);
    }
    const isToFile = record.purpose === 'embed';
    const collection = isToFile ? record.collection : await requireCollectionOf(record, store);
    const retryId = idFor(collection, request);
    const source = record.progress.failed > 0 ? sourceOf(record) : undefined;
    const wanted = selectedBy(selection, (await spool.readFiles(id)) !== undefined);
    const received =
      source && (await spool.collectFailures(id, { source, sections: record.sections }, retryId, wanted));
    if (received === undefined) {
      const which = wanted === undefined ? '' : 'selected ';
      const message = `no ${which}document of job ${id} failed; there is nothing to retry`;
      throw new EmbedmillError('nothing_to_retry', message);
    }
    const { purpose, tenant, sourceName, sequenced, label, priority, webhook, sequence } = record;
    // A file written to a bucket is not changed, because the other documents are in it.
    const sink = record.sink && { ...record.sink, to: undefined };
    const accepted = await acceptJob(
      'retry',
      {
        sink,
        priority,
        webhook,
        sequence,
        sections: received.sections,
        sourceName,
        sequenced,
        id: retryId,
        purpose,
        collection,
        tenant,
        source: received.source,
        label,
        digest: `retry:${id}:${received.sha256}`,
        retryOf: id,
      },
      this.#parts,
    );
    if (accepted.created)
      queue.noteJob(id, { level: 'info', event: 'retried', text: `${retryId} retries its failures` });
    return accepted;
  }

  /**
   * Compares a job's documents with the store, and submits what is missing: the whole job if the queue lost it, or a
   * new job with the missing documents if it has finished. Errors: `job_not_found`, those of the comparison.
   */
  async verify(id: JobId): Promise<Verification> {
    const { queue, spool, store, log } = this.#parts;
    const recovered = await recoverJob(id, this.#parts);
    const record = recovered ?? (await queue.getSubmission(id));
    if (record === undefined) throw new EmbedmillError('job_not_found', `there is no job ${id}`);
    if (record.purpose !== 'ingest') {
      const message =
        record.sink !== undefined || record.dataset !== undefined
          ? `job ${id} writes a file and stores nothing, so there is nothing to compare it with`
          : `job ${id} is a migration; begin it again: existing vectors are kept`;
      throw new EmbedmillError('invalid_request', message);
    }
    await requireCollectionOf(record, store);
    const { state } = record;
    const looked = new JobComparison(record, this.#parts);
    const view = { job: id, state, recovered: recovered !== undefined };
    if (!isFinished(state)) {
      return { ...view, ...(await looked.compare()), resubmitted: null };
    }
    const again = newJobId();
    const unlimited = { maxBytes: Number.MAX_SAFE_INTEGER };
    const { source, bytes, sha256 } = await spool.receive(again, looked.missingLines(), unlimited);
    if (bytes === 0) {
      await spool.removeSource(source);
      return { ...view, ...looked.comparison, resubmitted: null };
    }
    log.warn({ job: id, missing: looked.comparison.missing, again }, 'documents of the job are missing');
    await acceptJob(
      'verify',
      {
        priority: record.priority,
        webhook: record.webhook,
        id: again,
        purpose: record.purpose,
        collection: record.collection,
        tenant: record.tenant,
        source,
        label: record.label,
        digest: `verify:${id}:${sha256}`,
        retryOf: id,
        sourceName: record.sourceName,
        sequenced: record.sequenced,
        sequence: record.sequence,
        sections: looked.sections,
      },
      this.#parts,
    );
    return { ...view, ...looked.comparison, resubmitted: again };
  }
}
