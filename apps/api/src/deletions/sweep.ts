import {
  pointId,
  type Collection,
  type CollectionName,
  type Filter,
  type PointId,
  type Profile,
} from '@embedmill/jobs';
import type { IngestHandle } from '@embedmill/queue';
import {
  conditionOf,
  deleteInBoth,
  satisfies,
  type DocumentKey,
  type PointPayload,
  type VectorStore,
} from '@embedmill/vector-store';

/**
 * A deletion that does not name documents: by a filter, or of what a snapshot lacks. It deletes the versions that it
 * finds, not ids: a late version (a retry) that is older than the deletion but newer than the one found may not match.
 * So a found version is deleted not at the deletion's own sequence, but at the last one before the next version that
 * may still arrive. That rejects everything older than the found version, but no other versions older than the
 * deletion; those are checked against its range tombstone (range-tombstones.ts).
 */
export interface Sweep {
  sequence: number;
  isFor: (payload: PointPayload) => boolean;
  /** The sequences below its own that may still be written, smallest first. */
  writable: readonly number[];
}

/** A found version of a document, and the sequence at which to delete it. */
export interface SweptDocument extends DocumentKey {
  sequence: number;
}

/** @param sequence of the deletion; that of the job by default */
export async function sweepOf(
  handle: IngestHandle,
  isFor: Sweep['isFor'],
  sequence = handle.record.sequence,
): Promise<Sweep> {
  return { sequence, isFor, writable: await handle.writableBelow(sequence) };
}

/** Without a filter, all documents match. */
export function isForFilter(filter: Filter | undefined, filterable: Profile['filterable']): Sweep['isFor'] {
  const condition = filter === undefined ? undefined : conditionOf(filter, filterable);
  return (payload) => condition === undefined || satisfies(condition, payload);
}

/** The stored ones of these documents that a sweep covers, with the first such sweep. */
export async function foundBy(
  sweeps: readonly Sweep[],
  keys: readonly DocumentKey[],
  { name }: Collection,
  store: VectorStore,
): Promise<SweptDocument[]> {
  const found = await readStored(keys, name as CollectionName, store);
  return found.flatMap(({ tenant, id, payload, decided }) => {
    const sweep = sweeps.find(({ sequence, isFor }) => decided < sequence && isFor(payload));
    if (sweep === undefined) return [];
    const next = sweep.writable.find((one) => one > decided);
    return { tenant, id, sequence: next === undefined ? sweep.sequence : next - 1 };
  });
}

/** Deletes the found versions, in the twin, too; newer versions stay. Returns the number of deleted documents. */
export async function deleteFound(
  found: readonly SweptDocument[],
  collection: Collection,
  store: VectorStore,
): Promise<number> {
  let deleted = 0;
  for (const [sequence, some] of Map.groupBy(found, ({ sequence }) => sequence)) {
    const keys = some.map(({ tenant, id }) => ({ tenant, id }));
    const overtaken = await deleteInBoth(store, collection, keys, sequence);
    deleted += keys.length - overtaken.length;
  }
  return deleted;
}

/** As lines of a source; a sequence is stated only if it is not the job's own. */
export function tombstoneLines(found: readonly SweptDocument[], own: number): Buffer {
  const lines = found.map(({ id, tenant, sequence }) =>
    JSON.stringify({ id, tenant, deleted: true, sequence: sequence === own ? undefined : sequence }),
  );
  return Buffer.from(lines.map((line) => `${line}\n`).join(''));
}

/** A stored document. */
interface StoredVersion extends DocumentKey {
  payload: PointPayload;
  decided: number;
}

async function readStored(
  keys: readonly DocumentKey[],
  name: CollectionName,
  store: VectorStore,
): Promise<StoredVersion[]> {
  const found = await store.findDocuments(name, [...keys]);
  const heads = new Map<PointId, number>(
    keys.flatMap(({ tenant, id }, n) => {
      const its = found[n];
      return its?.state === 'stored' ? [[pointId(tenant, name, id, 0), its.decided]] : [];
    }),
  );
  const payloads = await store.getPayloads(name, [...heads.keys()]);
  return [...payloads].flatMap(([point, payload]) => {
    const decided = heads.get(point) ?? 0;
    const { tenant, document_id: id } = payload;
    // A newer version has been written since the search, which was not part of the decision.
    return payload.sequence > decided ? [] : { tenant, id, payload, decided };
  });
}
