import {
  EmbedmillError,
  encodingOfNamed,
  formatOfMediaType,
  WHOLE,
  type CollectionName,
  type SourceEncoding,
  type Shard,
  type SourceRef,
  type StoredSource,
} from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';
import { sourceOf, storedIn, type IngestHandle, type JobSource } from '@embedmill/queue';
import { fetchSource, redacted, type ManifestTotals, type OpenUrl } from '@embedmill/sources';
import { withAverageLength, type MeasuringParts } from './average-length.ts';
import { unlessCancelled } from './cancellation.ts';
import { withSection, type RunningJob, type ScannedSection } from './running-job.ts';
import { fetchListed } from '../sources/listed-urls.ts';
import { documentPages, storedDocuments, type StoredSelection } from '../deletions/stored-documents.ts';
import { foundBy, isForFilter, sweepOf, tombstoneLines } from '../deletions/sweep.ts';

/** What preparing a job's source needs. */
export interface ScanParts extends MeasuringParts {
  maxSourceBytes: number;
  /** Fetches sources of URLs. */
  openUrl: OpenUrl;
  log: Pick<Log, 'info' | 'warn'>;
}

/** What a job over stored documents reads from the store. */
const LINES: Record<Exclude<Shard['purpose'], 'ingest'>, StoredSelection['as']> = {
  compare: 'keys',
  migrate: 'documents',
  export: 'keys',
  embed: 'keys',
  batch: 'keys',
  dataset: 'keys',
  copy: 'keys',
};

/**
 * Makes the manifest of the source, or of the first section of a large one, unless an earlier dispatcher did. Undefined if
 * the job was cancelled in the meantime.
 */
export async function scan(
  handle: IngestHandle,
  options: ScanParts,
  signal: AbortSignal,
): Promise<SourceRef | undefined> {
  const { record } = handle;
  if (record.state === 'running') return sourceOf(record);
  if (await handle.isCancelled()) return undefined;
  handle.record = { ...record, state: 'scanning', startedAt: record.startedAt ?? new Date().toISOString() };
  await handle.save();
  handle.note({ level: 'info', event: 'scan_began', text: 'started to scan its source' });
  const scanned = await unlessCancelled(handle, signal, async (either) => {
    const source = sourceOf(record) ?? (await copySource(handle, options, either));
    return { source, section: await scanSection(handle, source, options, either) };
  });
  if (scanned === undefined) return undefined;
  const { source, section } = scanned;
  const isMeasured =
    record.purpose === 'ingest' || record.purpose === 'migrate' || record.purpose === 'embed';
  // A collection may have no documents yet, or none that a filter selects.
  if (section.documents === 0 && section.isLast && record.source.kind !== 'collection') throw noDocuments();
  handle.record = {
    ...withSection(handle.record, section),
    collection: isMeasured
      ? await withAverageLength(record.collection, { id: handle.id, source, share: record.tenant }, options)
      : record.collection,
    state: 'running',
    ...(record.mode === 'snapshot' && { unnamed: section.unnamed }),
  };
  await handle.save();
  const { documents, shards } = section;
  options.log.info({ documents, shards }, 'the job is running');
  if (section.isLast) noteEnd(handle);
  return source;
}

/**
 * Scans the sections of a job's source that are not in its manifest, one after another, while the job runs. A job that is
 * over aborts `signal`. Errors: those of the source.
 */
export async function scanRest(
  handle: IngestHandle,
  job: Pick<RunningJob, 'extend'>,
  source: SourceRef,
  options: ScanParts & { inTurn: <T>(scan: () => Promise<T>) => Promise<T> },
  signal: AbortSignal,
): Promise<void> {
  while (handle.record.unscanned !== undefined && !signal.aborted) {
    const section = await options.inTurn(() => scanSection(handle, source, options, signal));
    if (section.isLast && handle.record.progress.documents + section.documents === 0) throw noDocuments();
    await job.extend(section);
    if (section.isLast) noteEnd(handle);
  }
}

/** The next section of the source, or the whole one. */
async function scanSection(
  { id, record }: IngestHandle,
  source: SourceRef,
  { threads }: ScanParts,
  signal: AbortSignal,
): Promise<ScannedSection & Pick<ManifestTotals, 'unnamed'>> {
  const { filterable } = record.collection.profile;
  const { tenant, mode, sourceName, sequenced, maxFailures, metadataBytes } = record;
  const { sections = WHOLE, unscanned = { section: 0, offset: 0, line: 1 } } = record;
  const until = sections[unscanned.section + 1]?.offset;
  const section = { number: unscanned.section, offset: unscanned.offset, line: unscanned.line, until };
  const scope = { tenant, mode, sourceName, sequenced };
  const input = { job: id, source, filterable, scope, metadataBytes, maxFailures, section };
  const totals = await threads.run('manifest', input, { share: tenant, signal });
  return { ...totals, isLast: until === undefined };
}

function noteEnd(handle: IngestHandle): void {
  const { documents, shards } = handle.record.progress;
  const text = `scanned; documents: ${documents}, shards: ${shards}`;
  handle.note({ level: 'info', event: 'scan_ended', text });
}

function noDocuments(): EmbedmillError {
  return new EmbedmillError('source_unreadable', 'the source has no documents: every line is blank');
}

/** Copies sources that shards cannot refer to into the spool, as plain NDJSON. */
async function copySource(handle: IngestHandle, options: ScanParts, signal: AbortSignal): Promise<SourceRef> {
  const { source, collection } = handle.record;
  const { spool, threads, maxSourceBytes: maxBytes } = options;
  const fetched = await copy();
  handle.record = { ...handle.record, fetched };
  await handle.save();
  if (source.kind === 'encoded' || source.kind === 'files') {
    // If the queue loses the job, it continues with the copy; the original is no longer needed.
    await spool.keepRecord(handle.id, handle.record, 'unfinished');
    for (const original of storedIn(source)) await spool.removeSource(original);
  }
  return fetched;

  async function copy(): Promise<SourceRef> {
    switch (source.kind) {
      case 'url': {
        const { source: copied, mediaType = '' } = await fetchSource(spool, handle.id, source.url, {
          open: options.openUrl,
          maxBytes,
          signal,
          isDocument: source.encoding === undefined || source.encoding.format === 'document',
        });
        const encoding = source.encoding ?? encodingOfNamed(formatOfMediaType(mediaType));
        if (encoding === undefined) return copied;
        try {
          return await transcoded(copied, { name: redacted(source.url), ...encoding });
        } finally {
          await spool.removeSource(copied);
        }
      }
      case 'encoded':
        return transcoded(source.source, source.encoding);
      case 'files':
        return gathered(source);
      case 'collection': {
        const { purpose, tenant } = handle.record;
        if (purpose === 'ingest') return foundByFilter(source);
        const from = purpose === 'copy' ? (collection.twin?.name ?? collection.name) : collection.name;
        const selection = {
          filter: source.filter,
          tenant: tenant ?? source.tenant,
          as: LINES[purpose],
        };
        const lines = storedDocuments(options.store, from as CollectionName, selection, signal);
        const unlimited = { maxBytes: Number.MAX_SAFE_INTEGER };
        return (await options.spool.receive(handle.id, lines, unlimited)).source;
      }
      case 'batch': {
        const { id: job, record } = handle;
        if (record.batch === undefined)
          throw new EmbedmillError('internal', 'the job does not belong to a batch');
        const { model } = collection.profile;
        const input = { job, model, batch: record.batch, source: source.source, reading: source.reading };
        return threads.run('batch', input, { share: record.tenant, signal });
      }
      case 'dataset': {
        const { id: job, record } = handle;
        const input = { job, source: source.source, reading: source.reading };
        return threads.run('dataset', input, { share: record.tenant, signal });
      }
      case 'file':
      case 's3':
      case 'inline':
        return source;
    }
  }

  async function gathered({
    list,
    packed,
    bytes,
  }: Extract<JobSource, { kind: 'files' }>): Promise<SourceRef> {
    const { filterable } = collection.profile;
    // The size of a URL's content is unknown until it is fetched.
    if (bytes !== undefined) return oneOf(list);
    const here = await fetchListed(handle.id, list, { spool, open: options.openUrl, maxBytes, signal });
    try {
      return await oneOf(here.list);
    } finally {
      await here.remove();
    }

    async function oneOf(files: StoredSource): Promise<SourceRef> {
      const input = { job: handle.id, list: files, packed, filterable, maxBytes };
      const made = await options.threads.run('gather', input, { share: handle.record.tenant, signal });
      options.log.info(
        { files: made.files, unread: made.unread },
        'joined the files of the job into one source',
      );
      return made.source;
    }
  }

  /** The tombstones of a deletion by a filter. */
  async function foundByFilter({ filter, tenant }: Extract<JobSource, { kind: 'collection' }>) {
    const { store, spool } = options;
    const selection = { filter, tenant: handle.record.tenant ?? tenant };
    const sweep = await sweepOf(handle, isForFilter(filter, collection.profile.filterable));
    const pages = documentPages(store, collection.name as CollectionName, selection, signal);
    async function* lines(): AsyncGenerator<Uint8Array> {
      for await (const page of pages) {
        const found = await foundBy([sweep], page, collection, store);
        yield tombstoneLines(found, sweep.sequence);
      }
    }
    const received = await spool.receive(handle.id, lines(), { maxBytes: Number.MAX_SAFE_INTEGER });
    handle.record = { ...handle.record, sequenced: sweep.writable.length > 0 };
    return received.source;
  }

  async function transcoded(from: StoredSource, encoding: SourceEncoding): Promise<SourceRef> {
    const { filterable } = collection.profile;
    const input = { job: handle.id, source: from, encoding, filterable, maxBytes };
    return options.threads.run('transcode', input, { share: handle.record.tenant, signal });
  }
}
