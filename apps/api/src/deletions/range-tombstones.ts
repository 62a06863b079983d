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
import { shareOf, sourceOf, type IngestHandle, type IngestRecord } from '@embedmill/queue';
import { KeySet, readManifest, type RangeTombstoneKey, type Spool } from '@embedmill/sources';
import type { DocumentKey, PointPayload, VectorStore } from '@embedmill/vector-store';
import { requireCollectionOf } from '../collections/collection.ts';
import { isDeletionByFilter, olderJobsEnded, unfinishedOf } from './older-jobs.ts';
import type { ScanSlots } from '../dispatch/scan-slots.ts';
import type { SourceThreads } from '../sources/source-threads.ts';
import { documentPages } from './stored-documents.ts';
import { deleteFound, foundBy, isForFilter, sweepOf, type Sweep } from './sweep.ts';

/**
 * Deletions by a filter, and of what a snapshot lacks, name no documents: they delete what they find, once the jobs before
 * them have ended. What comes under an older sequence after they looked (a retry, a verification, a job that the queue had
 * lost) is held against a _range tombstone_, which the spool keeps of each such deletion until nothing older can be written
 * any more (retention.ts).
 *
 * The deletion: waits for the jobs before it → its range tombstone is `open` → none of them has come meanwhile, or it is
 * withdrawn and all of this begins again → looks, deletes → `closed`; withdrawn where it deletes nothing after all.
 * The older job: has written all → reads the range tombstones that are later than it → waits while one is open, for
 * whether that deletes anything is not known → deletes of its own documents those that a closed one is for (sweep.ts).
 *
 * So whichever comes first, one of the two sees the other: an older job that reads before the range tombstone is there is
 * seen by the deletion, which looks for older jobs afterwards. Who waits for whom is no circle: a deletion waits only while
 * its range tombstone is not there, an older job only while it is. All steps may be repeated, after whatever kill.
 */
export const rangeTombstoneSchema = z.strictObject({
  state: z.enum(['open', 'closed']),
  /** Whose documents; of all where it is not said, but of a snapshot only of those tenants that it has documents of. */
  tenant: tenantSchema.optional(),
  deletes: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('filter'),
      /** All by default. */
      filter: filterSchema.optional(),
      filterable: profileSchema.shape.filterable,
    }),
    /** Those of the source whose keys the snapshot does not have. */
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
 * Resolves once the deletion may look for what it deletes: to false where the job was cancelled meanwhile. One that has
 * looked already does not wait again: what came since is waiting for it.
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

/** Settles the deletion's range tombstone, before anybody may see that it has ended. */
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
 * Deletes, of the documents of a job that writes nothing more, those that a later deletion was for. They are counted as
 * superseded, each once, wherever dispatchers die.
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
    // With the collection, its documents are gone.
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
 * Each document is counted before it is deleted, in the write that says so of its shard: what is deleted is not found again,
 * and a dispatcher that takes over could not tell whose it was.
 *
 * @param to what `yielded` of the record calls these deletions
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
 * As `yieldTo`, of all documents that are stored: the pages of these are others once some are deleted, so that all are
 * counted first, as one shard behind the last.
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

/** How many of these documents the deletions are for, and their deletion. */
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

/** Counts so many documents as superseded, unless a dispatcher did that died then. */
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
  for await (const { range } of readManifest(spool, id)) {
    const shard = { collection, tenant, mode, sourceName, metadataBytes, source, range };
    const { documents } = await threads.run('shardKeys', shard, { share: tenant, signal });
    const named = documents.filter(({ isDeleted }) => !isDeleted);
    yield named.map(({ tenant: whose, id: document }) => ({ tenant: whose, id: document }));
  }
}

/** What a job deletes without naming it; undefined of one that does not. */
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

/** Jobs of its twin write to the job's collection, and it deletes from both: so it is kept for both. */
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
