import { asEmbedmillError, isFinished, type CollectionName, type SourceRef } from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';
import type { IngestHandle, Queue } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';
import type { VectorStore } from '@embedmill/vector-store';

/**
 * Big first loads, for which a store puts its index off (`BulkLoads`). A job's dispatcher says when it begins and when it has
 * ended, however it ended. What a dispatcher did not come to, as it died, the next sweep does: so an index is put off for no
 * longer than a job of it is unfinished, and a minute. Nothing rests on it: where the store cannot do it now, the job goes on.
 */
interface LoadParts {
  store: Pick<VectorStore, 'loads'>;
  log: Pick<Log, 'info' | 'warn'>;
}

/** Text of a chunk, at most: what comes as few long documents is a big load, too. */
const CHUNK_BYTES = 1024;

/** Gives whether there is something to end. */
export async function beginLoad(
  { id, record }: IngestHandle,
  source: SourceRef,
  { store, log }: LoadParts,
): Promise<boolean> {
  const { purpose, collection, progress } = record;
  if (store.loads === undefined || (purpose !== 'ingest' && purpose !== 'copy')) return false;
  const points = Math.max(progress.documents, Math.floor(bytesOf(source) / CHUNK_BYTES));
  try {
    const isPutOff = await store.loads.begin(collection.name as CollectionName, id, points);
    if (isPutOff)
      log.info({ collection: collection.name, points }, 'the index is put off until the load ends');
    return isPutOff;
  } catch (thrown) {
    log.warn(
      { err: asEmbedmillError(thrown) },
      'the index cannot be put off for the load; it goes on with it',
    );
    // It may have been done all the same.
    return true;
  }
}

export async function endLoad({ id, record }: IngestHandle, { store, log }: LoadParts): Promise<void> {
  const { name } = record.collection;
  try {
    await store.loads?.end(name as CollectionName, id);
    log.info({ collection: name }, 'the load has ended: the index is made, unless others load');
  } catch (thrown) {
    log.warn({ err: asEmbedmillError(thrown) }, 'the end of the load cannot be told now; it is tried again');
  }
}

/** Ends loads whose jobs have ended, or are gone. */
export async function endForgottenLoads({
  queue,
  spool,
  store,
  log,
}: LoadParts & {
  queue: Pick<Queue, 'getSubmission'>;
  spool: Pick<Spool, 'readRecord'>;
}): Promise<void> {
  for (const { collection, job } of (await store.loads?.list()) ?? []) {
    const record = await queue.getSubmission(job);
    // A job that the queue has lost is given back from the spool.
    if (record === undefined && (await spool.readRecord(job, 'unfinished')) !== undefined) continue;
    if (record !== undefined && !isFinished(record.state)) continue;
    await store.loads?.end(collection, job);
    log.info(
      { collection, job },
      'a load had ended, and nobody had said so: the index is made, unless others load',
    );
  }
}

function bytesOf(source: SourceRef): number {
  switch (source.kind) {
    case 'file':
    case 's3':
      return source.size;
    case 'inline':
      return 0;
  }
}
