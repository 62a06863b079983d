import { pointId, type Collection, type CollectionName, type TenantId } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import { groups } from '../groups.ts';
import type { ConditionalPoints, Head, Seen } from '../ordered-writes.ts';
import type { DocumentKey, Point } from '../store.ts';
import { byTenant, notDecidedAbove, ofChunks, unchangedSince, type QdrantFilter } from './qdrant-filter.ts';
import type { Place, QdrantShards } from './qdrant-shards.ts';

/** The number of documents per look-up, deletion or confirmation. */
const DOCUMENTS_AT_ONCE = 1000;
/** The number of tombstones per request. */
const TOMBSTONES_AT_ONCE = 256;

/** The payload fields read of a head. */
const HEAD_FIELDS = ['sequence', 'confirmed', 'chunk_count', 'fingerprint'];

/** The requests for these writes in one collection; QdrantStore sends them. */
export interface PointRequests {
  upsert(points: readonly Point[], filter: QdrantFilter): Promise<void>;
  upsertTombstones(points: Schemas['PointStruct'][], filter: QdrantFilter): Promise<void>;
  retrieve(ids: string[], fields: string[], place: Place): Promise<Schemas['Record'][]>;
  setPayload(payload: Record<string, unknown>, filter: QdrantFilter, place: Place): Promise<void>;
  delete(filter: QdrantFilter, place: Place): Promise<void>;
  /** Rejects with `collection_not_found` if the collection was created again since the writer read it. */
  assertCurrent(): Promise<void>;
}

/** Conditional writes in Qdrant: the conditions are filters of its requests. */
export class QdrantWrites implements ConditionalPoints {
  readonly #name: CollectionName;
  readonly #requests: PointRequests;
  readonly #shards: QdrantShards;

  constructor({ name }: Collection, requests: PointRequests, shards: QdrantShards) {
    this.#name = name as CollectionName;
    this.#requests = requests;
    this.#shards = shards;
  }

  async bury(
    documents: readonly (DocumentKey & { fingerprint?: string | undefined })[],
    sequence: number,
  ): Promise<void> {
    for (const some of groups(documents, TOMBSTONES_AT_ONCE)) {
      const whole = some.flatMap(({ fingerprint }) => fingerprint ?? []);
      const filter = notDecidedAbove(sequence, whole);
      await this.#requests.upsertTombstones(
        some.map(({ tenant, id }) => ({
          id: pointId(tenant, this.#name, id, 0),
          vector: {},
          payload: { document_id: id, tenant, chunk_index: 0, chunk_count: 0, sequence },
        })),
        filter,
      );
    }
  }

  async write(points: readonly Point[], sequence: number): Promise<void> {
    await this.#requests.upsert(points, notDecidedAbove(sequence));
  }

  async confirm(documents: readonly DocumentKey[], written: number, sequence: number): Promise<void> {
    for (const { place, some } of this.#byPlace(documents)) {
      for (const group of groups(some, DOCUMENTS_AT_ONCE)) {
        const heads = group.map(({ tenant, id }) => pointId(tenant, this.#name, id, 0));
        const unchanged = unchangedSince(heads, written, sequence);
        await this.#requests.setPayload({ confirmed: sequence }, unchanged, place);
      }
    }
  }

  async look(documents: readonly (DocumentKey & { beyond?: number | undefined })[]): Promise<Seen[]> {
    const wanted = documents.map(({ tenant, id, beyond }) => ({
      tenant,
      head: pointId(tenant, this.#name, id, 0),
      beyond: beyond === undefined ? undefined : pointId(tenant, this.#name, id, beyond),
    }));
    const found = new Map<unknown, Schemas['Record']>();
    const retrieve = async (): Promise<void> => {
      for (const { place, some } of this.#byPlace(wanted)) {
        const ids = some.flatMap(({ head, beyond }) => (beyond === undefined ? [head] : [head, beyond]));
        for (const group of groups(ids, DOCUMENTS_AT_ONCE)) {
          for (const record of await this.#requests.retrieve(group, HEAD_FIELDS, place))
            found.set(record.id, record);
        }
      }
    };
    await Promise.all([this.#requests.assertCurrent(), retrieve()]);
    return wanted.map(({ head, beyond }) => ({
      head: headIn(found.get(head)),
      beyond: beyond !== undefined && found.has(beyond),
    }));
  }

  async remove(
    documents: readonly DocumentKey[],
    from: number,
    sequence: number,
    which: 'exactly' | 'upTo',
  ): Promise<void> {
    for (const [tenant, group] of byTenant([...documents])) {
      for (const some of groups(group, DOCUMENTS_AT_ONCE)) {
        const ids = some.map(({ id }) => id);
        const chunks = ofChunks(tenant, ids, from, sequence, which);
        await this.#requests.delete(chunks, this.#shards.of(this.#name, tenant));
      }
    }
  }

  #byPlace<T extends { tenant: TenantId }>(things: readonly T[]): { place: Place; some: T[] }[] {
    return this.#shards.split(this.#name, things, ({ tenant }) => tenant);
  }
}

/** The state in a retrieved head; heads stored before sequences existed have none. */
export function headIn(record: Schemas['Record'] | undefined): Head | undefined {
  if (record === undefined) return undefined;
  const { sequence, confirmed, chunk_count, fingerprint } = (record.payload ?? {}) as Record<string, unknown>;
  return {
    chunkCount: Number(chunk_count ?? 0),
    fingerprint: typeof fingerprint === 'string' ? fingerprint : undefined,
    sequence: Number(sequence ?? 0),
    confirmed: Number(confirmed ?? 0),
  };
}
