import { asEmbedmillError, isFinished, type CollectionName, type SourceRef } from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';
import type { IngestHandle, Queue } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';
import type { VectorStore } from '@embedmill/vector-store';

/**
 * Large first loads, for which a store defers its index (`BulkLoads`). A job's dispatcher reports the begin and the end of
 * the load. If the dispatcher dies, the next sweep reports the end, so an index is deferred for at most a minute longer
 * than a job of the load is unfinished. Nothing depends on it: if the store cannot do it now, the job continues.
 */
interface LoadParts {
  store: Pick<VectorStore, 'loads'>;
  log: Pick<Log, 'info' | 'warn'>;
}

/** The most text of a chunk, because few long documents can also be a large load. */
const CHUNK_BYTES = 1024;

/** Returns whether there is a load to end. */
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
      log.info({ collection: collection.name, points }, 'deferring the index until the load ends');
    return isPutOff;
  } catch (thrown) {
    log.warn(
      { err: asEmbedmillError(thrown) },
      'cannot defer the index for the load; continuing with the index',
    );
    // It may have succeeded nevertheless.
    return true;
  }
}

export async function endLoad({ id, record }: IngestHandle, { store, log }: LoadParts): Promise<void> {
  const { name } = record.collection;
  try {
    await store.loads?.end(name as CollectionName, id);
    log.info({ collection: name }, 'the load has ended; building the index unless other loads are running');
  } catch (thrown) {
    log.warn({ err: asEmbedmillError(thrown) }, 'cannot record the end of the load; retrying');
  }
}

/** Ends loads whose jobs have ended or no longer exist. */
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
    // A job that the queue lost is restored from the spool.
    if (record === undefined && (await spool.readRecord(job, 'unfinished')) !== undefined) continue;
    if (record !== undefined && !isFinished(record.state)) continue;
    await store.loads?.end(collection, job);
    log.info(
      { collection, job },
      'found a load whose end was not recorded; building the index unless other loads are running',
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
