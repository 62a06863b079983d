import {
  denseVectors,
  EmbedmillError,
  pointId,
  type Collection,
  type CollectionName,
  type TenantId,
} from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import { assertVectors } from '../collections.ts';
import { groups } from '../groups.ts';
import { assertCurrent, writtenCollection } from '../known-definitions.ts';
import { confirmInOrder, decidedBy, deleteInOrder, replaceInOrder } from '../ordered-writes.ts';
import { checkedDocuments } from '../replacement.ts';
import { settled } from '../settled-writes.ts';
import type { DocumentKey, DocumentPoints, DocumentVersion, FoundDocument, Point } from '../store.ts';
import { checkDense, denseVector } from '../vector-check.ts';
import { countPoints, countRequests } from './qdrant-counts.ts';
import type { QdrantConnection } from './qdrant-connection.ts';
import { tombstonesBelow, writtenUnder, type QdrantFilter } from './qdrant-filter.ts';
import { payloadOf } from './qdrant-points.ts';
import type { Place, QdrantShards } from './qdrant-shards.ts';
import { headIn, QdrantWrites, type PointRequests } from './qdrant-writes.ts';
import { checkSizes, upsertBody, upsertGroups } from './upsert-body.ts';

type PointStruct = Schemas['PointStruct'];

/** The number of documents per look-up. */
const DOCUMENTS_AT_ONCE = 1000;

/** Looks up the documents of collections in Qdrant, and writes them in the order of their sequences. */
export class QdrantDocuments {
  readonly #connection: QdrantConnection;
  readonly #shards: QdrantShards;

  constructor(connection: QdrantConnection, shards: QdrantShards) {
    this.#connection = connection;
    this.#shards = shards;
  }

  async find(name: CollectionName, documents: DocumentKey[]): Promise<(FoundDocument | undefined)[]> {
    await this.#connection.collection(name);
    const ids = documents.map((document) => pointId(document.tenant, name, document.id, 0));
    const found = new Map<unknown, FoundDocument>();
    const fields = ['fingerprint', 'chunk_count', 'job_id', 'sequence', 'confirmed'];
    const wanted = documents.map(({ tenant }, n) => ({ tenant, id: ids[n] as string }));
    for (const { place, some } of this.#shards.split(name, wanted, ({ tenant }) => tenant)) {
      for (const batch of groups(some, DOCUMENTS_AT_ONCE)) {
        const heads = batch.map(({ id }) => id);
        for (const record of await this.#retrieve(name, heads, fields, place)) {
          const head = headIn(record);
          if (head === undefined) continue;
          const decided = decidedBy(head);
          const { fingerprint, job_id: jobId } = payloadOf(record.payload);
          const { chunkCount, sequence } = head;
          found.set(
            record.id,
            chunkCount === 0
              ? { state: 'absent', decided }
              : { state: 'stored', fingerprint, chunkCount, jobId, sequence, decided },
          );
        }
      }
    }
    return ids.map((id) => found.get(id));
  }

  async replace(
    name: CollectionName,
    documents: DocumentPoints[],
    known?: Collection,
  ): Promise<DocumentKey[]> {
    const collection = await writtenCollection(this.#connection, name, known);
    const checked = checkedDocuments(collection, documents, known);
    for (const { points } of checked) checkSizes(points);
    const sequences = checked.map((document) => document.sequence);
    return this.#inOrder(collection, sequences, (points) => replaceInOrder(points, checked), known);
  }

  async delete(
    name: CollectionName,
    documents: DocumentKey[],
    sequence: number,
    known?: Collection,
  ): Promise<DocumentKey[]> {
    const collection = await writtenCollection(this.#connection, name, known);
    return this.#inOrder(
      collection,
      [sequence],
      (points) => deleteInOrder(points, documents, sequence),
      known,
    );
  }

  async confirm(name: CollectionName, versions: DocumentVersion[], sequence: number): Promise<DocumentKey[]> {
    const collection = await this.#connection.collection(name);
    return this.#inOrder(collection, [], (points) => confirmInOrder(points, versions, sequence));
  }

  async removeOvertaken(name: CollectionName, documents: DocumentKey[], sequence: number): Promise<void> {
    const collection = await this.#connection.collection(name);
    await this.#inOrder(collection, [], (points) => points.remove(documents, 1, sequence, 'exactly'));
  }

  async takeBack(name: CollectionName, sequence: number, known: Collection): Promise<void> {
    const now = await this.#connection.reread(name);
    // Documents stored before sequences existed have none.
    if (now === undefined || now.createdAt === known.createdAt || sequence === 0) return;
    await this.#delete(name, { must: [writtenUnder(sequence)] }, await this.#shards.everywhere(name));
  }

  async purge(name: CollectionName, below: number): Promise<number> {
    await this.#connection.collection(name);
    const filter = tombstonesBelow(below);
    const count = await countPoints(filter, countRequests(this.#connection, name, {}));
    if (count > 0) await this.#delete(name, filter, await this.#shards.everywhere(name));
    return count;
  }

  /** Runs a write of documents, and undoes it if the collection was created again meanwhile. */
  async #inOrder<T>(
    collection: Collection,
    sequences: readonly number[],
    write: (points: QdrantWrites) => Promise<T>,
    known: Collection = collection,
  ): Promise<T> {
    const name = collection.name as CollectionName;
    const connection = this.#connection;
    const requests: PointRequests = {
      upsert: (some, filter) => this.#upsert(collection, some, filter),
      upsertTombstones: (some, filter) => this.#upsertTombstones(collection, some, filter),
      retrieve: (ids, fields, place) => this.#retrieve(name, ids, fields, place),
      setPayload: (payload, filter, place) =>
        connection.writes(async () => {
          const body = { payload, filter, wait: true, ...place };
          await connection.send(name, (client) => client.setPayload(name, body));
        }),
      delete: (filter, place) => this.#delete(name, filter, place),
      assertCurrent: () => assertCurrent(connection, collection, known),
    };
    const points = new QdrantWrites(collection, requests, this.#shards);
    try {
      return await write(points);
    } catch (thrown) {
      if (thrown instanceof EmbedmillError && thrown.code === 'collection_not_found')
        for (const sequence of new Set(sequences)) await this.takeBack(name, sequence, collection);
      throw thrown;
    }
  }

  async #upsert(collection: Collection, points: readonly Point[], filter: QdrantFilter): Promise<void> {
    const check = (now: Collection) => {
      assertVectors(now, denseVectors(collection));
      for (const { dense } of points) checkDense(now, denseVector(now), dense, 'the vector');
    };
    const name = collection.name as CollectionName;
    await this.#shards.prepare(
      collection,
      points.map(({ payload }) => payload.tenant),
    );
    const sent = this.#shards
      .split(name, points, ({ payload }) => payload.tenant)
      .flatMap(({ place, some }) =>
        upsertGroups(some).map((group) =>
          this.#connection.writes(async () => {
            const body = upsertBody(collection, group, { update_filter: filter, ...place });
            await this.#connection.checked(collection, check, (client) => client.upsertBytes(name, body));
          }),
        ),
      );
    await settled(sent);
  }

  async #upsertTombstones(
    collection: Collection,
    points: PointStruct[],
    filter: QdrantFilter,
  ): Promise<void> {
    const name = collection.name as CollectionName;
    const tenantOf = ({ payload }: PointStruct) => payload?.['tenant'] as TenantId;
    await this.#shards.prepare(collection, points.map(tenantOf));
    for (const { place, some } of this.#shards.split(name, points, tenantOf))
      await this.#connection.writes(async () => {
        const body = { points: some, update_filter: filter, wait: true, ...place };
        await this.#connection.send(name, (client) => client.upsert(name, body));
      });
  }

  #retrieve(
    name: CollectionName,
    ids: string[],
    fields: string[],
    place: Place,
  ): Promise<Schemas['Record'][]> {
    const wanted = { ids, with_payload: fields, with_vector: false, ...place };
    return this.#connection.send(name, (client) => client.retrieve(name, wanted));
  }

  async #delete(name: CollectionName, filter: QdrantFilter, place: Place): Promise<void> {
    const { writes } = this.#connection;
    const body = { filter, wait: true, ...place };
    await writes(() => this.#connection.send(name, (client) => client.delete(name, body)));
  }
}
