import {
  EmbedmillError,
  type Collection,
  type CollectionName,
  type DenseName,
  type DenseVector,
  type FilterableType,
  type PointId,
  type SparseScheme,
  type TenantId,
} from '@embedmill/jobs';
import type { QdrantClient, Schemas } from '@qdrant/js-client-rest';
import pLimit from 'p-limit';
import { assertSameCollection, collectionNotFound, definitionWithField, nameTaken } from '../collections.ts';
import { conditionOf, satisfies } from '../condition.ts';
import { sortByDocument } from '../document-order.ts';
import { groups } from '../groups.ts';
import type {
  Alias,
  CountedField,
  DocumentCount,
  DocumentKey,
  DocumentPoints,
  DocumentVersion,
  PointPayload,
  PointScan,
  ScoredPoint,
  StoredPoint,
  VectorAddition,
  VectorSearch,
  VectorStore,
} from '../store.ts';
import { checkAdditions, checkScheme, checkSearchVector, denseVector } from '../vector-check.ts';
import { aliasesOf, moveAlias } from './qdrant-aliases.ts';
import {
  collectionOf,
  creationOf,
  fieldIndex,
  metadataOf,
  paramsOf,
  payloadIndexes,
} from './qdrant-collection.ts';
import {
  byTenant,
  isExact,
  ofDocuments,
  searchFilter,
  shown,
  withoutVector,
  type QdrantFilter,
} from './qdrant-filter.ts';
import { additionBatches, payloadOf } from './qdrant-points.ts';
import { countByField } from './qdrant-counts.ts';
import { addToPoints, type VectorUpdate } from './qdrant-additions.ts';
import { askTermFactors, queryOf, searchInOrder } from './qdrant-query.ts';
import { KnownDefinitions } from './known-definitions.ts';
import { QdrantDocuments } from './qdrant-documents.ts';
import { request } from './qdrant-request.ts';
import { updateDefinition } from './qdrant-update.ts';
import { pointPages, POINTS_AT_ONCE, type ScrollPage } from './qdrant-scroll.ts';

/** Requests that write, at once. */
const WRITES_AT_ONCE = 3;
/** Payloads a request. */
const PAYLOADS_AT_ONCE = 1000;

/**
 * The vector store in a Qdrant server. Any number of processes use it at once; `ordered-writes.ts` says how those that
 * write the same document get along.
 *
 * Points are ordinary points with named vectors. What a collection is stands in its metadata in Qdrant;
 * collections without it are somebody else's: neither listed, nor written, nor deleted.
 */
export class QdrantStore implements VectorStore {
  readonly description: string;
  readonly #client: QdrantClient;
  readonly #onThrottled: (() => void) | undefined;
  readonly #writes = pLimit(WRITES_AT_ONCE);
  readonly #additions = pLimit(1);
  readonly #definitions = new KnownDefinitions();
  readonly #documents: QdrantDocuments;

  constructor(client: QdrantClient, url: string, onThrottled?: () => void) {
    this.#onThrottled = onThrottled;
    this.description = `Qdrant, ${url}`;
    this.#client = client;
    this.#documents = new QdrantDocuments({
      client,
      writes: this.#writes,
      send: (name, send) => this.#send(name, send),
      checked: (collection, check, send) => this.#checked(collection, check, send),
      collection: (name) => this.#collection(name),
      reread: (name) => this.getCollection(name),
    });
  }

  async createCollection(collection: Collection): Promise<void> {
    const { name } = collection;
    this.#definitions.forget(name);
    const alias = (await this.listAliases()).find((one) => one.name === name);
    if (alias !== undefined) throw nameTaken(name, alias);
    if ((await this.#info(name)) === undefined) {
      try {
        await this.#send(name, () => this.#client.createCollection(name, creationOf(collection)));
      } catch (thrown) {
        // Somebody else may have created it in between, or we ourselves, by a request whose answer was lost.
        if ((await this.#info(name)) === undefined) throw thrown;
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
    this.#definitions.remember(existing);
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
    if (collection === undefined) this.#definitions.forget(name);
    else this.#definitions.remember(collection);
    return collection;
  }

  async listCollections(): Promise<Collection[]> {
    const { collections } = await this.#send(undefined, () => this.#client.getCollections());
    const slots = pLimit(WRITES_AT_ONCE);
    const names = collections.map(({ name }) => name as CollectionName).toSorted();
    const found = await Promise.all(names.map((name) => slots(() => this.getCollection(name))));
    return found.filter((collection) => collection !== undefined);
  }

  async updateCollection(collection: Collection, known?: Collection): Promise<void> {
    const name = collection.name as CollectionName;
    await updateDefinition(collection, known, {
      info: () => this.#info(name),
      define: async (definition) => {
        await this.#send(name, () => this.#client.updateCollection(name, metadataOf(definition)));
        this.#definitions.remember(definition);
      },
      countLacking: (vector) => this.#countLacking(name, vector),
      addVector: async (vector) => {
        const config = { dense: paramsOf(vector) };
        await this.#send(name, () =>
          this.#client.createVectorName(name, vector.name, config, { wait: true }),
        );
      },
      dropVector: async (vector) => {
        await this.#send(name, () => this.#client.deleteVectorName(name, vector, { wait: true }));
      },
    });
  }

  /** One after another: each reads the definition, and writes it down with its field. */
  addField(name: CollectionName, field: string, type: FilterableType): Promise<void> {
    return this.#additions(async () => {
      const existing = await this.getCollection(name);
      if (existing === undefined) throw collectionNotFound(name);
      if (definitionWithField(existing, field, type) === existing) return;
      const { field: key, schema } = fieldIndex(field, type);
      const index = { field_name: key, field_schema: schema, wait: true };
      await this.#send(name, () => this.#client.createPayloadIndex(name, index));
      // Making an index may take long: what has changed meanwhile stays.
      const now = await this.getCollection(name);
      if (now === undefined) throw collectionNotFound(name);
      const wanted = definitionWithField(now, field, type);
      await this.#send(name, () => this.#client.updateCollection(name, metadataOf(wanted)));
      this.#definitions.remember(wanted);
    });
  }

  async deleteCollection(name: CollectionName): Promise<boolean> {
    if ((await this.getCollection(name)) === undefined) return false;
    this.#definitions.forget(name);
    return this.#send(name, () => this.#client.deleteCollection(name));
  }

  async listAliases(): Promise<Alias[]> {
    return aliasesOf(await this.#send(undefined, () => this.#client.getAliases()));
  }

  async moveAlias(name: CollectionName, collection: CollectionName | null): Promise<void> {
    if (collection !== null) await this.#collection(collection);
    if ((await this.getCollection(name)) !== undefined) throw nameTaken(name);
    await this.#send(undefined, () => moveAlias(this.#client, name, collection));
  }

  async countPoints(name: CollectionName, tenant?: TenantId): Promise<number> {
    await this.#collection(name);
    const filter = shown(searchFilter(tenant, undefined));
    return (await this.#send(name, () => this.#client.count(name, { exact: true, filter }))).count;
  }

  async countDocuments(name: CollectionName, by: CountedField, tenant?: TenantId): Promise<DocumentCount[]> {
    await this.#collection(name);
    return countByField(by, tenant, {
      facet: (request) => this.#send(name, () => this.#client.facet(name, request)),
      count: async (filter) =>
        (await this.#send(name, () => this.#client.count(name, { exact: true, filter }))).count,
      index: (field) => {
        const index = { field_name: field, field_schema: 'keyword' as const, wait: true };
        return this.#send(name, () => this.#client.createPayloadIndex(name, index));
      },
    });
  }

  async countLacking(name: CollectionName, vector: DenseName): Promise<number> {
    denseVector(await this.#collection(name), vector);
    return this.#countLacking(name, vector);
  }

  findDocuments(name: CollectionName, documents: DocumentKey[]) {
    return this.#documents.find(name, documents);
  }

  replaceDocuments(name: CollectionName, documents: DocumentPoints[], known?: Collection) {
    return this.#documents.replace(name, documents, known);
  }

  deleteDocuments(name: CollectionName, documents: DocumentKey[], sequence: number, known?: Collection) {
    return this.#documents.delete(name, documents, sequence, known);
  }

  confirmDocuments(name: CollectionName, versions: DocumentVersion[], sequence: number) {
    return this.#documents.confirm(name, versions, sequence);
  }

  async removeOvertaken(name: CollectionName, documents: DocumentKey[], sequence: number): Promise<void> {
    await this.#documents.removeOvertaken(name, documents, sequence);
  }

  async takeBack(name: CollectionName, sequence: number, known: Collection): Promise<void> {
    await this.#documents.takeBack(name, sequence, known);
  }

  async purgeTombstones(name: CollectionName, below: number): Promise<number> {
    return this.#documents.purge(name, below);
  }

  async search(
    name: CollectionName,
    { vector, limit, offset, filter, tenant }: VectorSearch,
  ): Promise<ScoredPoint[]> {
    const collection = await this.#collection(name);
    checkSearchVector(collection, vector);
    const condition = filter && conditionOf(filter, collection.profile.filterable);
    const wanted = searchFilter(tenant, condition);
    if (vector.kind === 'sparse' && vector.values.indices.length === 0) return [];
    const query = {
      ...queryOf(collection, vector),
      ...(wanted === undefined ? {} : { filter: wanted }),
    };
    const check = (now: Collection) => checkSearchVector(now, vector);
    const checked = condition === undefined || isExact(condition) ? undefined : condition;
    return searchInOrder(
      { limit, offset },
      {
        nearest: async (most, withPayload) => {
          const asked = { ...query, limit: most, with_payload: withPayload || checked !== undefined };
          return (await this.#checked(collection, check, () => this.#client.query(name, asked))).points;
        },
        satisfies: checked && ((payload) => satisfies(checked, payload)),
        payloads: async (ids) => {
          const payloads = new Map<PointId, PointPayload>();
          for (const some of groups(ids, PAYLOADS_AT_ONCE)) {
            const asked = { ids: some, with_payload: true, with_vector: false };
            for (const { id, payload } of await this.#send(name, () => this.#client.retrieve(name, asked)))
              payloads.set(String(id) as PointId, payloadOf(payload));
          }
          return payloads;
        },
      },
    );
  }

  async getPoints(name: CollectionName, documents: DocumentKey[]): Promise<StoredPoint[]> {
    const collection = await this.#collection(name);
    const points: StoredPoint[] = [];
    for (const [tenant, group] of byTenant(documents)) {
      for (const some of groups(group, POINTS_AT_ONCE)) {
        const filter = ofDocuments(
          tenant,
          some.map((document) => document.id),
        );
        for await (const page of this.#pages(collection, shown(filter))) points.push(...page);
      }
    }
    return sortByDocument(points, documents);
  }

  async scanPoints(
    name: CollectionName,
    { limit, after, filter, tenant }: PointScan,
  ): Promise<StoredPoint[]> {
    const collection = await this.#collection(name);
    const condition = filter && conditionOf(filter, collection.profile.filterable);
    const points: StoredPoint[] = [];
    const checked = condition === undefined || isExact(condition) ? undefined : condition;
    const wanted = shown(searchFilter(tenant, condition));
    for await (const page of this.#pages(collection, wanted, after, limit)) {
      points.push(...page.filter(({ payload }) => checked === undefined || satisfies(checked, payload)));
      if (points.length >= limit) break;
    }
    return points.slice(0, limit);
  }

  async addVectors(name: CollectionName, vectors: VectorAddition[], meant?: DenseVector): Promise<void> {
    const collection = await this.#collection(name);
    const { name: vector } = checkAdditions(collection, vectors, meant);
    const requests = {
      idsThere: async (ids: Schemas['ExtendedPointId'][]) => {
        const wanted = { ids, with_payload: false, with_vector: false };
        const found = await this.#send(name, () => this.#client.retrieve(name, wanted));
        return new Set(found.map(({ id }) => id));
      },
      // Not the client's own updateVectors, which drops the filter.
      add: (update: VectorUpdate) =>
        this.#send(name, () => this.#client.api().updateVectors({ collection_name: name, ...update })),
      isThere: async () => (await this.#info(name)) !== undefined,
    };
    for (const [sequence, some] of Map.groupBy(vectors, (addition) => addition.sequence)) {
      for (const points of additionBatches(vector, some))
        await this.#writes(() => addToPoints(vector, points, sequence, requests));
    }
  }

  async termFactors(name: CollectionName, scheme: SparseScheme, terms: Uint32Array): Promise<Float32Array> {
    checkScheme(await this.#collection(name), scheme);
    return askTermFactors(scheme, terms, async (searches) => {
      const answers = await this.#send(name, () => this.#client.queryBatch(name, { searches }));
      return answers.map(({ points: [best] }) => best);
    });
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

  /** Points with their vectors in the order of their ids, after one of them, some at a time. */
  #pages(
    collection: Collection,
    filter: QdrantFilter | undefined,
    after?: PointId,
    limit = Infinity,
  ): AsyncGenerator<StoredPoint[]> {
    const { name } = collection;
    const scroll = (page: ScrollPage) => this.#send(name, () => this.#client.scroll(name, page));
    return pointPages(collection, scroll, filter, after, limit);
  }

  async #countLacking(name: CollectionName, vector: DenseName): Promise<number> {
    const wanted = { exact: true, filter: shown(withoutVector(vector)) };
    return (await this.#send(name, () => this.#client.count(name, wanted))).count;
  }

  /** Sends vectors; a refusal may mean that the collection was made anew with another size since we looked. */
  async #checked<T>(
    collection: Collection,
    check: (now: Collection) => void,
    send: () => Promise<T>,
  ): Promise<T> {
    const name = collection.name as CollectionName;
    try {
      return await this.#send(name, send);
    } catch (thrown) {
      if (thrown instanceof EmbedmillError && thrown.code === 'store_rejected') {
        const now = await this.getCollection(name);
        if (now !== undefined) check(now);
      }
      throw thrown;
    }
  }

  async #collection(name: CollectionName): Promise<Collection> {
    const known = this.#definitions.get(name);
    if (known !== undefined) return known;
    const collection = await this.getCollection(name);
    if (collection === undefined) throw collectionNotFound(name);
    return collection;
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
        this.#onThrottled,
      );
    } catch (thrown) {
      const gone = thrown instanceof EmbedmillError && thrown.code === 'collection_not_found';
      if (gone && name !== undefined) this.#definitions.forget(name);
      throw thrown;
    }
  }
}
