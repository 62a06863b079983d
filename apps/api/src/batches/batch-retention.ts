import { asEmbedmillError, isFinished, readKept, type JobId } from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';
import type { Queue } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';
import { datasetSchema } from '../datasets/dataset-records.ts';
import { batchRecordSchema, clientFileSchema, clientUploadSchema } from './client-records.ts';

interface SweptParts {
  queue: Pick<Queue, 'getSubmission' | 'cancel'>;
  spool: Spool;
  log: Pick<Log, 'info' | 'warn'>;
}

/** A batch whose job is unknown this long after its creation belongs to an expired job. */
const SUBMITTED_MS = 3600_000;

/**
 * Ends batches whose completion window has passed, and removes expired files, uploads and datasets, and batches of expired
 * jobs. If it is killed at any point, the next sweep continues.
 */
export async function sweepClientRecords(
  { queue, spool, log }: SweptParts,
  filesAgeMs: number,
  now: number,
): Promise<void> {
  for (const record of await spool.files.all()) {
    const file = readKept(clientFileSchema, record).data;
    if (file === undefined || now < (file.expiresAt ?? file.createdAt + filesAgeMs)) continue;
    await spool.files.remove(file.id);
    log.info({ file: file.id }, 'a file has expired');
  }
  for (const record of await spool.datasets.all()) {
    const dataset = readKept(datasetSchema, record).data;
    if (dataset === undefined || now < dataset.createdAt + filesAgeMs) continue;
    await spool.datasets.remove(dataset.id);
    log.info({ dataset: dataset.id }, 'a dataset has expired');
  }
  for (const record of await spool.uploads.all()) {
    const upload = readKept(clientUploadSchema, record).data;
    if (upload === undefined || now < upload.expiresAt) continue;
    await spool.uploads.remove(upload.id);
    log.info({ upload: upload.id }, 'an upload has expired');
  }
  for (const kept of await spool.batches.all()) {
    const batch = readKept(batchRecordSchema, kept).data;
    if (batch === undefined) continue;
    const { id } = batch;
    const job = batch.job as JobId;
    const record = await queue.getSubmission(job);
    if (record === undefined) {
      const isKept = (await spool.readRecord(job, 'unfinished')) !== undefined;
      if (isKept || now - batch.createdAt < SUBMITTED_MS) continue;
      await spool.batchFaults.remove(id);
      await spool.batches.remove(id);
      continue;
    }
    if (isFinished(record.state) || now < batch.expiresAt) continue;
    await queue.cancel(job).catch((thrown: unknown) => {
      if (asEmbedmillError(thrown).code !== 'job_finished') throw thrown;
    });
    log.info(
      { batch: id, job },
      'the completion window of a batch has passed; its remaining requests expire',
    );
  }
}
