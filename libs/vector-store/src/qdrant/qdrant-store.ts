import {
  EmbedmillError,
  pointId,
  type Collection,
  type CollectionName,
  type DocumentId,
  type TenantId,
} from '@embedmill/jobs';
import type { QdrantClient } from '@qdrant/js-client-rest';
import { assertSameCollection, collectionNotFound } from '../collections.ts';
import { conditionOf } from '../condition.ts';
import { checkVector, replacementOf } from '../replacement.ts';
import type {
  DocumentKey,
  DocumentPoints,
  Point,
  ScoredPoint,
  StoredDocument,
  VectorSearch,
  VectorStore,
} from '../store.ts';
import { collectionOf, creationOf, payloadIndexes } from './qdrant-collection.ts';
import { ofDocuments, searchFilter, staleChunks, type QdrantFilter } from './qdrant-filter.ts';
import { payloadOf, upsertBatches, VECTOR } from './qdrant-points.ts';
import { request, Slots } from './qdrant-request.ts';

/** Requests that write, at once. */
const WRITES_AT_ONCE = 3;
/** Documents a look-up or a deletion. */
const DOCUMENTS_AT_ONCE = 1000;
/** Milliseconds for which a collection's definition is taken to be what it was. */
const DEFINITION_AGE = 5000;

/**
 * The vector store in a Qdrant server. Any number of processes use it at once; but two that replace the same
 * document at the same time may leave chunks of both.
 *
 * Points are ordinary points with one named vector. What a collection is stands in its metadata in Qdrant;
 * collections without it are somebody else's: neither listed, nor written, nor deleted.
 */
export class QdrantStore implements VectorStore {
  readonly description: string;
  readonly #client: QdrantClient;
  readonly #writes = new Slots(WRITES_AT_ONCE);
  readonly #definitions = new Map<string, { collection: Collection; until: number }>();

  constructor(client: QdrantClient, url: string) {
    this.description = `Qdrant, ${url}`;
    this.#client = client;
  }

  async createCollection(collection: Collection): Promise<void> {
    const { name } = collection;
    this.#definitions.delete(name);
    if (!(await this.#exists(name))) {
      try {
        await this.#send(name, () => this.#client.createCollection(name, creationOf(collection)));
      } catch (thrown) {
        // Somebody else may have created it in between, or we ourselves, by a request whose answer was lost.
        if (!(await this.#exists(name))) throw thrown;
      }
    }
    const info = await this.#info(name);
    const existing = info && collectionOf(name, info);
    if (info === undefined) throw collectionNotFound(name as CollectionName);
    if (existing === undefined) {
      throw new EmbedmillError(
        'collection_exists',
        `Qdrant has a collection "${name}" that is not embedmill's; choose another name`,
      );
    }
    assertSameCollection(existing, collection);
    this.#remember(existing);
    // Also those that an earlier attempt did not get to.
    for (const { field, schema } of payloadIndexes(collection)) {
      if (Object.hasOwn(info.payload_schema, field)) continue;
      const index = { field_name: field, field_schema: schema, wait: true };
      await this.#send(name, () => this.#client.createPayloadIndex(name, index));
    }
  }

  async getCollection(name: CollectionName): Promise<Collection | undefined> {
    const info = await this.#info(name);
    const collection = info && collectionOf(name, info);
    if (collection === undefined) this.#definitions.delete(name);
    else this.#remember(collection);
    return collection;
  }

  async listCollections(): Promise<Collection[]> {
    const { collections } = await this.#send(undefined, () => this.#client.getCollections());
    const slots = new Slots(WRITES_AT_ONCE);
    const names = collections.map(({ name }) => name as CollectionName).toSorted();
    const found = await Promise.all(names.map((name) => slots.run(() => this.getCollection(name))));
    return found.filter((collection) => collection !== undefined);
  }

  async deleteCollection(name: CollectionName): Promise<boolean> {
    if ((await this.getCollection(name)) === undefined) return false;
    this.#definitions.delete(name);
    return this.#send(name, () => this.#client.deleteCollection(name));
  }

  async countPoints(name: CollectionName): Promise<number> {
    await this.#collection(name);
    return (await this.#send(name, () => this.#client.count(name, { exact: true }))).count;
  }

  async findDocuments(
    name: CollectionName,
    documents: DocumentKey[],
  ): Promise<(StoredDocument | undefined)[]> {
    await this.#collection(name);
    const ids = documents.map((document) => pointId(document.tenant, name, document.id, 0));
    const found = new Map<unknown, StoredDocument>();
    for (const batch of groups(ids, DOCUMENTS_AT_ONCE)) {
      const wanted = {
        ids: batch,
        with_payload: ['fingerprint', 'chunk_count', 'job_id'],
        with_vector: false,
      };
      for (const { id, payload } of await this.#send(name, () => this.#client.retrieve(name, wanted))) {
        const { fingerprint, chunk_count: chunkCount, job_id: jobId } = payloadOf(payload);
        found.set(id, { fingerprint, chunkCount, jobId });
      }
    }
    return ids.map((id) => found.get(id));
  }

  async replaceDocuments(name: CollectionName, documents: DocumentPoints[]): Promise<void> {
    const collection = await this.#collection(name);
    const replacement = replacementOf(collection, documents);
    for (const [tenant, group] of byTenant(replacement.documents)) {
      for (const some of groups(group, DOCUMENTS_AT_ONCE))
        await this.#delete(name, staleChunks(tenant, some));
    }
    await this.#upsert(collection, replacement.rest);
    await this.#upsert(collection, replacement.first);
  }

  async deleteDocuments(name: CollectionName, documents: DocumentKey[]): Promise<void> {
    await this.#collection(name);
    for (const [tenant, group] of byTenant(documents)) {
      const ids = group.map((document) => document.id);
      for (const some of groups<DocumentId>(ids, DOCUMENTS_AT_ONCE))
        await this.#delete(name, ofDocuments(tenant, some));
    }
  }

  async search(
    name: CollectionName,
    { dense, limit, offset, filter, tenant }: VectorSearch,
  ): Promise<ScoredPoint[]> {
    const collection = await this.#collection(name);
    checkVector(collection, dense, 'the query');
    const condition = filter && conditionOf(filter, collection.profile.filterable);
    const wanted = searchFilter(tenant, condition);
    const query = {
      query: Array.from(dense),
      using: VECTOR,
      limit,
      offset,
      with_payload: true,
      ...(wanted === undefined ? {} : { filter: wanted }),
    };
    const { points } = await this.#checked(collection, [dense], () => this.#client.query(name, query));
    return points.map(({ id, score, payload }) => ({
      id: String(id) as ScoredPoint['id'],
      score,
      payload: payloadOf(payload),
    }));
  }

  async ping(): Promise<void> {
    try {
      await this.#send(undefined, () => this.#client.getCollections());
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      throw new EmbedmillError('store_unavailable', why, { cause: thrown });
    }
  }

  /** Nothing to let go of: idle connections close by themselves and keep no process alive. */
  async close(): Promise<void> {}

  async #upsert(collection: Collection, points: Point[]): Promise<void> {
    const vectors = points.map((point) => point.dense);
    const { name } = collection;
    const sent = [...upsertBatches(points)].map((batch) =>
      this.#writes.run(() =>
        this.#checked(collection, vectors, () => this.#client.upsert(name, { points: batch, wait: true })),
      ),
    );
    // All of them, so that nothing of this call is written after it has been rejected.
    const failed = (await Promise.allSettled(sent)).find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #delete(name: CollectionName, filter: QdrantFilter): Promise<void> {
    await this.#writes.run(() => this.#send(name, () => this.#client.delete(name, { filter, wait: true })));
  }

  /** Sends vectors; a refusal may mean that the collection was made anew with another size since we looked. */
  async #checked<T>(collection: Collection, vectors: Float32Array[], send: () => Promise<T>): Promise<T> {
    const name = collection.name as CollectionName;
    try {
      return await this.#send(name, send);
    } catch (thrown) {
      if (thrown instanceof EmbedmillError && thrown.code === 'store_rejected') {
        const now = await this.getCollection(name);
        for (const vector of now === undefined ? [] : vectors)
          checkVector(now ?? collection, vector, 'the vector');
      }
      throw thrown;
    }
  }

  async #collection(name: CollectionName): Promise<Collection> {
    const known = this.#definitions.get(name);
    if (known !== undefined && known.until > performance.now()) return known.collection;
    const collection = await this.getCollection(name);
    if (collection === undefined) throw collectionNotFound(name);
    return collection;
  }

  #remember(collection: Collection): void {
    this.#definitions.set(collection.name, { collection, until: performance.now() + DEFINITION_AGE });
  }

  async #exists(name: string): Promise<boolean> {
    return (await this.#info(name)) !== undefined;
  }

  async #info(name: string) {
    try {
      return await this.#send(name, () => this.#client.getCollection(name));
    } catch (thrown) {
      if (thrown instanceof EmbedmillError && thrown.code === 'collection_not_found') return undefined;
      throw thrown;
    }
  }

  async #send<T>(name: string | undefined, send: () => Promise<T>): Promise<T> {
    try {
      return await request(
        name === undefined ? this.description : `${this.description}, collection "${name}"`,
        send,
      );
    } catch (thrown) {
      const gone = thrown instanceof EmbedmillError && thrown.code === 'collection_not_found';
      if (gone && name !== undefined) this.#definitions.delete(name);
      throw thrown;
    }
  }
}

function byTenant<T extends { tenant: TenantId }>(documents: T[]): Map<TenantId, T[]> {
  return Map.groupBy(documents, (document) => document.tenant);
}

function groups<T>(items: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}
