import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import {
  asEmbedmillError,
  EmbedmillError,
  filterSchema,
  parseKept,
  profileSchema,
  tenantSchema,
  type CollectionName,
  type FinishedState,
} from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';
import { scannedSections, shareOf, sourceOf, type IngestHandle, type IngestRecord } from '@embedmill/queue';
import { KeySet, readManifest, type RangeTombstoneKey, type Spool } from '@embedmill/sources';
import type { DocumentKey, PointPayload, VectorStore } from '@embedmill/vector-store';
import { requireCollectionOf } from '../collections/collection.ts';
import { isDeletionByFilter, olderJobsEnded, unfinishedOf } from './older-jobs.ts';
import type { ScanSlots } from '../dispatch/scan-slots.ts';
import type { SourceThreads } from '../sources/source-threads.ts';
import { documentPages } from './stored-documents.ts';
import { deleteFound, foundBy, isForFilter, sweepOf, type Sweep } from './sweep.ts';

/**
 * Deletions by a filter, and of what a snapshot lacks, do not name documents: they delete what they find, once older
 * jobs have ended. Writes with an older sequence that arrive after the search (a retry, a verification, a job that the
 * queue had lost) are checked against a _range tombstone_, which the spool keeps for each such deletion until nothing
 * older can be written any more (retention.ts).
 *
 * The deletion: waits for older jobs → writes its range tombstone as `open` → if an older job has appeared meanwhile,
 * withdraws it and starts again → searches and deletes → `closed`, or withdrawn if it fails or is cancelled. The older
 * job: has written everything → reads the later range tombstones → waits while one is open, because its outcome is
 * unknown → deletes those of its own documents that a closed one covers (sweep.ts).
 *
 * So in any order, one of the two sees the other: if an older job reads before the range tombstone exists, the deletion
 * sees the job, because it looks for older jobs afterwards. There is no deadlock: a deletion waits only while its range
 * tombstone does not exist, an older job only while it does. All steps are idempotent.
 */
export const rangeTombstoneSchema = z.strictObject({
  state: z.enum(['open', 'closed']),
  /** The tenant of the documents. Undefined: all tenants, but for a snapshot only those with documents in it. */
  tenant: tenantSchema.optional(),
  deletes: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('filter'),
      /** All by default. */
      filter: filterSchema.optional(),
      filterable: profileSchema.shape.filterable,
    }),
    /** The documents of the source whose keys are missing from the snapshot. */
    z.strictObject({ kind: z.literal('snapshot'), source: z.string().nullable() }),
  ]),
});
type RangeTombstone = z.infer<typeof rangeTombstoneSchema>;

export interface RangeTombstoneParts {
  store: VectorStore;
  spool: Spool;
  threads: SourceThreads;
  pollMs: number;
  log: Pick<Log, 'info' | 'warn'>;
}

/**
 * Resolves once the deletion may search; to false if the job was cancelled meanwhile. A deletion that has already
 * searched does not wait again, because newer arrivals wait for it.
 */
export async function clearToLook(
  handle: IngestHandle,
  parts: Pick<RangeTombstoneParts, 'spool' | 'pollMs'>,
  signal: AbortSignal,
): Promise<boolean> {
  const said = saidBy(handle.record);
  if (said === undefined || hasLooked(handle.record)) return true;
  for (;;) {
    await withdraw(handle, parts);
    if (!(await olderJobsEnded(handle, parts, signal))) return false;
    await keep(handle, { ...said, state: 'open' }, parts);
    if ((await unfinishedOf(await handle.olderJobs(), handle, parts)).length === 0) return true;
  }
}

/** Settles the deletion's range tombstone before its end becomes visible. */
export async function closeRangeTombstone(
  handle: IngestHandle,
  parts: Pick<RangeTombstoneParts, 'spool'>,
  end: FinishedState,
): Promise<void> {
  const said = saidBy(handle.record);
  if (said === undefined) return;
  if (end === 'completed') await keep(handle, { ...said, state: 'closed' }, parts);
  else await withdraw(handle, parts);
}

/**
 * Deletes the documents of a finished older job that a later deletion covers. Each is counted as superseded exactly
 * once, even if dispatchers die.
 */
export async function yieldToLaterDeletions(
  handle: IngestHandle,
  parts: RangeTombstoneParts,
  slots: ScanSlots,
  signal: AbortSignal,
): Promise<void> {
  const { record } = handle;
  if (record.purpose !== 'ingest' || isDeletionByFilter(record)) return;
  const work: Yielding = { handle, parts, signal };
  const later = await laterThan(work);
  if (later.length === 0) return;
  const sweepBy = ({ sequence }: RangeTombstoneKey, isFor: Sweep['isFor']): Promise<Sweep> =>
    sweepOf(handle, isFor, sequence);
  try {
    const filters: Sweep[] = [];
    for (const [key, said] of later) {
      if (said.deletes.kind !== 'filter') continue;
      const isForFiltered = isForFilter(said.deletes.filter, said.deletes.filterable);
      filters.push(await sweepBy(key, (payload) => isOfTenant(said, payload) && isForFiltered(payload)));
    }
    if (filters.length > 0) await yieldTo(filters, 0, work);
    for (const [key, said] of later) {
      const { deletes } = said;
      if (deletes.kind !== 'snapshot') continue;
      await slots.run({ share: shareOf(record), isSmall: false }, signal, async () => {
        const keys = await KeySet.read(parts.spool.rangeTombstones.readKeys(record.collection.name, key));
        const sweep = await sweepBy(key, (payload) => {
          const { tenant, document_id: id, source = null } = payload;
          const isOfSource = isOfTenant(said, payload) && source === deletes.source;
          return isOfSource && keys.hasTenant(tenant) && !keys.has({ tenant, id });
        });
        await yieldTo([sweep], key.sequence, work);
      });
    }
  } catch (thrown) {
    // The documents are gone together with the collection.
    if (!(thrown instanceof EmbedmillError) || thrown.code !== 'collection_not_found') throw thrown;
  }
}

/** An older job that yields to later deletions. */
interface Yielding {
  handle: IngestHandle;
  parts: RangeTombstoneParts;
  signal: AbortSignal;
}

/** The closed range tombstones that are later than the job, once none is open any more. */
async function laterThan({
  handle,
  parts: { spool, pollMs },
  signal,
}: Yielding): Promise<[RangeTombstoneKey, RangeTombstone][]> {
  const {
    collection: { name },
    sequence,
  } = handle.record;
  for (;;) {
    const keys = (await spool.rangeTombstones.list(name)).filter((key) => key.sequence > sequence);
    const later: [RangeTombstoneKey, RangeTombstone][] = [];
    for (const key of keys) {
      const said = await spool.rangeTombstones.read(name, key);
      if (said !== undefined) later.push([key, parseKept(rangeTombstoneSchema, said)]);
    }
    if (later.every(([, { state }]) => state === 'closed')) return later;
    await setTimeout(pollMs, undefined, { signal });
  }
}

/**
 * Each document is counted before it is deleted, in the same write as its shard's cursor: a deleted document is not
 * found again, and the next dispatcher could not tell whose it was.
 *
 * @param to the key of these deletions in the record's `yielded`
 */
async function yieldTo(deletions: readonly Sweep[], to: number, work: Yielding): Promise<void> {
  let shards = 0;
  try {
    for await (const keys of keysOf(work)) {
      shards += 1;
      const { found, remove } = await foundNow(deletions, keys, work);
      if (found === 0) continue;
      await count(work.handle, found, { to, shards });
      await remove();
    }
  } catch (thrown) {
    const error = asEmbedmillError(thrown);
    if (error.code !== 'source_unreadable' && error.code !== 'source_changed') throw thrown;
    // Any stored document may belong to the job.
    work.parts.log.warn({ err: error }, 'the source of the job has changed; checking all documents');
    await yieldInAll(deletions, to, work);
  }
}

/**
 * Like `yieldTo`, for all stored documents. Deleting changes their pages, so all are counted first, as one shard after
 * the last.
 */
async function yieldInAll(deletions: readonly Sweep[], to: number, work: Yielding): Promise<void> {
  const { handle, parts, signal } = work;
  const { collection, tenant, progress } = handle.record;
  const pages = () => documentPages(parts.store, collection.name as CollectionName, { tenant }, signal);
  let documents = 0;
  for await (const keys of pages()) documents += (await foundNow(deletions, keys, work)).found;
  if (documents === 0) return;
  await count(handle, documents, { to, shards: progress.shards + 1 });
  for await (const keys of pages()) await (await foundNow(deletions, keys, work)).remove();
}

/** How many of these documents the deletions cover, and a function that deletes them. */
async function foundNow(
  deletions: readonly Sweep[],
  keys: DocumentKey[],
  { handle, parts: { store }, signal }: Yielding,
): Promise<{ found: number; remove: () => Promise<void> }> {
  signal.throwIfAborted();
  const collection = await requireCollectionOf(handle.record, store);
  const found = await foundBy(deletions, keys, collection, store);
  return {
    found: found.length,
    remove: async () => {
      await deleteFound(found, collection, store);
    },
  };
}

/** Counts this many documents as superseded, unless a dispatcher that died has already done so. */
async function count(
  handle: IngestHandle,
  documents: number,
  yielded: { to: number; shards: number },
): Promise<void> {
  const { progress, yielded: before = { to: 0, shards: 0 } } = handle.record;
  const isCounted = before.to > yielded.to || (before.to === yielded.to && before.shards >= yielded.shards);
  if (isCounted) return handle.assertHeld();
  const ofStored = Math.min(documents, progress.stored);
  const ofSkipped = Math.min(documents - ofStored, progress.skipped);
  handle.record = {
    ...handle.record,
    yielded,
    progress: {
      ...progress,
      stored: progress.stored - ofStored,
      skipped: progress.skipped - ofSkipped,
      superseded: progress.superseded + ofStored + ofSkipped,
    },
  };
  await handle.save();
}

/** The keys of the job's documents, shard by shard. Errors: `source_unreadable`, `source_changed`. */
async function* keysOf({
  handle: { id, record },
  parts: { spool, threads },
  signal,
}: Yielding): AsyncGenerator<DocumentKey[]> {
  const { collection, tenant, mode, sourceName, metadataBytes, progress } = record;
  const source = sourceOf(record);
  if (source === undefined || progress.shards === 0) return;
  for await (const { range } of readManifest(spool, id, { sections: scannedSections(record) })) {
    const shard = { collection, tenant, mode, sourceName, metadataBytes, source, range };
    const { documents } = await threads.run('shardKeys', shard, { share: tenant, signal });
    const named = documents.filter(({ isDeleted }) => !isDeleted);
    yield named.map(({ tenant: whose, id: document }) => ({ tenant: whose, id: document }));
  }
}

/** What a job deletes without naming documents; undefined for any other job. */
function saidBy(record: IngestRecord): Omit<RangeTombstone, 'state'> | undefined {
  const { purpose, mode, source, sourceName = null, collection, tenant } = record;
  if (purpose !== 'ingest') return undefined;
  if (mode === 'snapshot') return { tenant, deletes: { kind: 'snapshot', source: sourceName } };
  if (source.kind !== 'collection') return undefined;
  const { filterable } = collection.profile;
  return {
    tenant: tenant ?? source.tenant,
    deletes: { kind: 'filter', filter: source.filter, filterable },
  };
}

const hasLooked = ({ mode, gone, fetched, state }: IngestRecord): boolean =>
  mode === 'snapshot' ? gone !== undefined : fetched !== null || state === 'running';

const isOfTenant = ({ tenant }: RangeTombstone, payload: PointPayload): boolean =>
  tenant === undefined || tenant === payload.tenant;

/**
 * Jobs of the twin write to the job's collection, and the deletion applies to both, so the tombstone is stored for
 * both.
 */
function namesOf({ collection: { name, twin } }: IngestRecord): string[] {
  return twin === undefined ? [name] : [name, twin.name];
}

async function keep(
  { record }: IngestHandle,
  tombstone: RangeTombstone,
  { spool }: Pick<RangeTombstoneParts, 'spool'>,
): Promise<void> {
  const key = { sequence: record.sequence, job: record.id };
  for (const name of namesOf(record)) {
    if (tombstone.state === 'closed' && tombstone.deletes.kind === 'snapshot')
      await spool.rangeTombstones.keepKeys(name, key, spool.readKeys(record.id));
    await spool.rangeTombstones.keep(name, key, tombstone);
  }
}

async function withdraw(
  { record }: IngestHandle,
  { spool }: Pick<RangeTombstoneParts, 'spool'>,
): Promise<void> {
  const key = { sequence: record.sequence, job: record.id };
  for (const name of namesOf(record)) await spool.rangeTombstones.remove(name, key);
}
