import {
  EmbedmillError,
  tooManyDeletions,
  type CollectionName,
  type DocumentChange,
  type Tombstone,
} from '@embedmill/jobs';
import type { GoneDocuments, IngestHandle } from '@embedmill/queue';
import { KeySet, readLines, type Spool } from '@embedmill/sources';
import type { VectorStore } from '@embedmill/vector-store';
import { unlessCancelled } from '../dispatch/cancellation.ts';
import { requireCollectionOf } from '../collections/collection.ts';
import { joinOutput } from '../dispatch/export-output.ts';
import { olderJobsEnded } from './older-jobs.ts';
import { clearToLook } from './range-tombstones.ts';
import type { JobEnd } from '../dispatch/running-job.ts';
import type { ScanSlots } from '../dispatch/scan-slots.ts';
import { documentPages } from './stored-documents.ts';
import { deleteFound, foundBy, sweepOf, tombstoneLines, type SweptDocument } from './sweep.ts';

export interface SnapshotParts {
  store: VectorStore;
  spool: Spool;
  pollMs: number;
  hooks?: { onGone?: (documents: number, model: string) => void };
}

/**
 * The end of a snapshot, once all its documents are settled: documents of its source that it lacks are deleted (sweep.ts);
 * documents accepted later are kept. Failed documents are not lacking.
 *
 * First a scan of the store lists them in the spool; the record has the place of the list. Then it is decided whether this
 * many may be deleted. Then the listed documents are deleted. If the dispatcher is killed, the next one resumes from the
 * record; deleting is idempotent. Only one set of keys is in memory at a time (`slots`).
 *
 * Errors: `snapshot_incomplete`, `too_many_deletions`: nothing was deleted. `collection_not_found`.
 */
export async function forgetGone(
  handle: IngestHandle,
  parts: SnapshotParts,
  slots: ScanSlots,
  signal: AbortSignal,
): Promise<JobEnd> {
  const { mode, purpose, unnamed = 0, maxDeleted, tenant } = handle.record;
  if (mode !== 'snapshot') return 'completed';
  const isDryRun = purpose === 'compare';
  if (unnamed > 0) {
    const message = `${unnamed} lines do not identify their documents, so it is unknown which documents the snapshot lacks; none was deleted, and all other lines are stored: see the job's failures, fix these lines and submit the snapshot again`;
    throw new EmbedmillError('snapshot_incomplete', message);
  }
  const wait = isDryRun ? olderJobsEnded : clearToLook;
  if (!(await wait(handle, parts, signal))) return 'cancelled';
  const end = await unlessCancelled(handle, signal, async (either): Promise<JobEnd> => {
    if (handle.record.gone === undefined) {
      const share = tenant ?? '';
      const gone = await slots.run({ share, isSmall: false }, either, () => listGone(handle, parts, either));
      handle.record = { ...handle.record, gone };
      if (isDryRun) await reportGone(handle, gone, parts);
      await handle.save();
    }
    const { gone } = handle.record;
    if (gone === undefined) return 'completed';
    const tooMany = tooManyDeletions(maxDeleted, gone);
    if (tooMany !== undefined) throw tooMany;
    if (!isDryRun) await deleteGone(handle, gone, parts, either);
    return 'completed';
  });
  return end ?? 'cancelled';
}

/** For a dry run: its last part, and the count. The output is written even if this many may not be deleted. */
async function reportGone(handle: IngestHandle, gone: GoneDocuments, parts: SnapshotParts): Promise<void> {
  const { spool } = parts;
  async function* lines(): AsyncGenerator<Uint8Array> {
    for await (const some of listed(handle, gone, parts)) {
      const changes = some.map(({ id, tenant }): DocumentChange => ({ change: 'gone', id, tenant }));
      yield Buffer.from(changes.map((change) => `${JSON.stringify(change)}\n`).join(''));
    }
  }
  const { progress } = handle.record;
  await spool.writePart(handle.id, progress.shards, lines());
  handle.record = { ...handle.record, progress: { ...progress, gone: gone.gone } };
  await joinOutput(handle, parts);
}

async function* listed(
  { record: { sequence } }: IngestHandle,
  { list }: GoneDocuments,
  { spool }: SnapshotParts,
): AsyncGenerator<SweptDocument[]> {
  for await (const group of readLines(spool.readSource(list))) {
    const keys = group.map(({ bytes }) => JSON.parse(bytes?.toString('utf8') ?? '') as Tombstone);
    yield keys.map(({ tenant, id, sequence: at = sequence }) => ({ tenant, id, sequence: at }));
  }
}

/** Writes the tombstones of the documents that the snapshot lacks. */
async function listGone(
  handle: IngestHandle,
  { store, spool }: SnapshotParts,
  signal: AbortSignal,
): Promise<GoneDocuments> {
  const { id, record } = handle;
  const { collection, tenant, sourceName = null } = record;
  const sweep = await sweepOf(handle, ({ source = null }) => source === sourceName);
  const keys = await KeySet.load(spool, id);
  const counts = { gone: 0, documents: 0 };
  const selection = { tenant, source: sourceName };
  async function* lines(): AsyncGenerator<Uint8Array> {
    const name = collection.name as CollectionName;
    for await (const page of documentPages(store, name, selection, signal)) {
      // A job without a tenant covers the tenants of its documents.
      const own = page.filter((key) => keys.hasTenant(key.tenant));
      const lacked = own.filter((key) => !keys.has(key));
      const gone = await foundBy([sweep], lacked, collection, store);
      counts.documents += own.length;
      counts.gone += gone.length;
      yield tombstoneLines(gone, sweep.sequence);
    }
  }
  const { source } = await spool.receive(id, lines(), { maxBytes: Number.MAX_SAFE_INTEGER });
  return { list: source, ...counts };
}

async function deleteGone(
  handle: IngestHandle,
  gone: GoneDocuments,
  parts: SnapshotParts,
  signal: AbortSignal,
): Promise<void> {
  const { store, hooks } = parts;
  let deleted = 0;
  for await (const some of listed(handle, gone, parts)) {
    signal.throwIfAborted();
    await handle.assertHeld();
    const collection = await requireCollectionOf(handle.record, store);
    const documents = await deleteFound(some, collection, store);
    deleted += documents;
    hooks?.onGone?.(documents, collection.profile.model);
    handle.record = { ...handle.record, progress: { ...handle.record.progress, gone: deleted } };
    await handle.save();
  }
}
