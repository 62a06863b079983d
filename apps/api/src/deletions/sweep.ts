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
 * A deletion that names no documents: by a filter, or of what a snapshot lacks. It deletes versions that it finds, not ids: a
 * version that is older than the deletion, later than the one that was found, and comes late (a retry) may be none of its.
 * So what is found is deleted at the last sequence before that of the next version that may still come, not at the
 * deletion's own. That keeps away whatever is older than what was found, and nothing else of what is older than the
 * deletion; what comes of that is held against its range tombstone (range-tombstones.ts).
 */
export interface Sweep {
  sequence: number;
  isFor: (payload: PointPayload) => boolean;
  /** The sequences below its own that may still be written, the smallest first. */
  writable: readonly number[];
}

/** A document as it was found, and the sequence to delete that at. */
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

/** All documents where there is no filter. */
export function isForFilter(filter: Filter | undefined, filterable: Profile['filterable']): Sweep['isFor'] {
  const condition = filter === undefined ? undefined : conditionOf(filter, filterable);
  return (payload) => condition === undefined || satisfies(condition, payload);
}

/** Of these documents those that are stored, and that one of the sweeps is for: of several, the first. */
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

/** Deletes what was found, in the twin, too; what has been written since stays. Gives how many are deleted. */
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

/** As lines of a source; of those that are deleted at the job's own sequence it is not said. */
export function tombstoneLines(found: readonly SweptDocument[], own: number): Buffer {
  const lines = found.map(({ id, tenant, sequence }) =>
    JSON.stringify({ id, tenant, deleted: true, sequence: sequence === own ? undefined : sequence }),
  );
  return Buffer.from(lines.map((line) => `${line}\n`).join(''));
}

/** A document as it is stored. */
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
    // Another one has been written since the look: it is not what was decided then.
    return payload.sequence > decided ? [] : { tenant, id, payload, decided };
  });
}
