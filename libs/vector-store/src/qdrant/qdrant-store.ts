import {
  EmbedmillError,
  type Collection,
  type CollectionName,
  type DenseName,
  type DenseVector,
  type FilterableType,
  type QdrantLayout,
  type PointId,
  type SparseScheme,
  type TenantId,
  type TokenVectors,
} from '@embedmill/jobs';
import pLimit from 'p-limit';
import { assertSameCollection, collectionNotFound, definitionWithField, nameTaken } from '../collections.ts';
import type {
  Alias,
  CountedField,
  DocumentCount,
  DocumentKey,
  DocumentPoints,
  DocumentScan,
  DocumentVersion,
  NearSearch,
  PointPayload,
  PointVectors,
  PointScan,
  RankedPoint,
  ScannedDocument,
  ScoredPoint,
  StoredPoint,
  VectorAddition,
  VectorSearch,
  VectorStore,
} from '../store.ts';
import type { StoreReport } from '../store-report.ts';
import { checkAdditions, denseVector } from '../vector-check.ts';
import { aliasesOf, moveAlias } from './qdrant-aliases.ts';
import {
  collectionOf,
  creationOf,
  fieldIndex,
  isOnDisk,
  isShardedByKeys,
  layoutFor,
  metadataOf,
  paramsOf,
  payloadIndexes,
} from './qdrant-collection.ts';
import { searchFilter, shown, withoutVector } from './qdrant-filter.ts';
import { countByField, countPoints, countRequests } from './qdrant-counts.ts';
import { addVectors } from './qdrant-additions.ts';
import type { QdrantConnection } from './qdrant-connection.ts';
import { QdrantDocuments } from './qdrant-documents.ts';
import { QdrantLoads } from './qdrant-loads.ts';
import { reportOn } from './qdrant-report.ts';
import { QdrantScans } from './qdrant-scans.ts';
import { QdrantSearch } from './qdrant-search.ts';
import { QdrantShards } from './qdrant-shards.ts';
import { updateDefinition } from './qdrant-update.ts';

export interface QdrantStoreOptions {
  layout: QdrantLayout;
  largeTenants: readonly string[];
  bulkPoints: number;
}

/**
 * The vector store in a Qdrant server, which any number of processes may use at the same time. `ordered-writes.ts`
 * describes concurrent writes of the same document.
 *
 * Points are ordinary points with named vectors. A collection's definition is in its metadata in Qdrant; collections
 * without it belong to other programs and are neither listed, written nor deleted.
 */
export class QdrantStore implements VectorStore {
  readonly description: string;
  readonly loads: QdrantLoads;
  readonly #connection: QdrantConnection;
  readonly #layout: QdrantLayout;
  readonly #additions = pLimit(1);
  readonly #documents: QdrantDocuments;
  readonly #searches: QdrantSearch;
  readonly #scans: QdrantScans;
  readonly #shards: QdrantShards;

  /**
   * @param options.layout the storage of new collections, unless their profiles define it; existing ones do not change
   * @param options.largeTenants tenants with their own shards in collections sharded by key
   * @param options.bulkPoints the minimum size of a first load that defers the index
   */
  constructor(connection: QdrantConnection, { layout, largeTenants, bulkPoints }: QdrantStoreOptions) {
    this.#layout = layout;
    this.description = connection.description;
    this.loads = new QdrantLoads(connection, bulkPoints);
    this.#connection = connection;
    this.#shards = new QdrantShards(connection, largeTenants);
    this.#documents = new QdrantDocuments(connection, this.#shards);
    this.#searches = new QdrantSearch(connection, this.#shards);
    this.#scans = new QdrantScans(connection, this.#shards);
  }

  async createCollection(collection: Collection): Promise<void> {
    const { name } = collection;
    const layout = layoutFor(collection, this.#layout);
    this.#connection.definitions.forget(name);
    const alias = (await this.listAliases()).find((one) => one.name === name);
    if (alias !== undefined) throw nameTaken(name, alias);
    if ((await this.#connection.info(name)) === undefined) {
      if (this.#layout.sharding === 'custom') await this.#shards.assertPossible();
      try {
        await this.#connection.send(name, (client) =>
          client.createCollection(name, creationOf(collection, layout)),
        );
      } catch (thrown) {
        // Another process may have created it meanwhile, or this one, by a request whose response was lost.
        if ((await this.#connection.info(name)) === undefined) throw thrown;
      }
    }
    const info = await this.#connection.info(name);
    const existing = info && collectionOf(name, info);
    if (info === undefined) throw collectionNotFound(name as CollectionName);
    if (existing === undefined) {
      throw new EmbedmillError(
        'collection_exists',
        `Qdrant has a collection "${name}" that is not embedmill's; choose another name`,
      );
    }
    assertSameCollection(existing, collection);
    this.#connection.read(name as CollectionName, info);
    // Here and below, also completes an earlier attempt.
    if (isShardedByKeys(info)) await this.#shards.createShared(name as CollectionName);
    for (const { field, schema } of payloadIndexes(collection, layout)) {
      if (Object.hasOwn(info.payload_schema, field)) continue;
      const index = { field_name: field, field_schema: schema, wait: true };
      await this.#connection.send(name, (client) => client.createPayloadIndex(name, index));
    }
  }

  getCollection(name: CollectionName): Promise<Collection | undefined> {
    return this.#connection.reread(name, 'prompt');
  }

  async listCollections(): Promise<Collection[]> {
    const infos = await this.#connection.infos();
    return infos.flatMap(({ name, info }) => this.#connection.read(name, info) ?? []);
  }

  async updateCollection(collection: Collection, known?: Collection): Promise<void> {
    const name = collection.name as CollectionName;
    await updateDefinition(collection, known, {
      info: () => this.#connection.info(name),
      define: async (definition) => {
        await this.#connection.send(name, (client) => client.updateCollection(name, metadataOf(definition)));
        this.#connection.definitions.remember(definition);
      },
      countLacking: (vector) => this.#countLacking(name, vector),
      addVector: async (vector) => {
        const config = { dense: paramsOf(vector) };
        await this.#connection.send(name, (client) =>
          client.createVectorName(name, vector.name, config, { wait: true }),
        );
        // When adding a vector, Qdrant accepts only the options that determine comparisons.
        if (!isOnDisk(collection, layoutFor(collection, this.#layout))) return;
        const kept = { vectors: { [vector.name]: { on_disk: true } } };
        await this.#connection.send(name, (client) => client.updateCollection(name, kept));
      },
      dropVector: async (vector) => {
        await this.#connection.send(name, (client) => client.deleteVectorName(name, vector, { wait: true }));
      },
    });
  }

  /** Sequentially, because each call reads the definition and writes it with its field. */
  addField(name: CollectionName, field: string, type: FilterableType): Promise<void> {
    return this.#additions(async () => {
      const existing = await this.getCollection(name);
      if (existing === undefined) throw collectionNotFound(name);
      if (definitionWithField(existing, field, type) === existing) return;
      const { field: key, schema } = fieldIndex(field, type, layoutFor(existing, this.#layout));
      const index = { field_name: key, field_schema: schema, wait: true };
      await this.#connection.send(name, (client) => client.createPayloadIndex(name, index));
      // Creating an index may take long, so changes made meanwhile are kept.
      const now = await this.getCollection(name);
      if (now === undefined) throw collectionNotFound(name);
      const wanted = definitionWithField(now, field, type);
      await this.#connection.send(name, (client) => client.updateCollection(name, metadataOf(wanted)));
      this.#connection.definitions.remember(wanted);
    });
  }

  async deleteCollection(name: CollectionName): Promise<boolean> {
    if ((await this.getCollection(name)) === undefined) return false;
    this.#connection.definitions.forget(name);
    return this.#connection.send(name, (client) => client.deleteCollection(name));
  }

  async listAliases(): Promise<Alias[]> {
    return aliasesOf(await this.#connection.send(undefined, (client) => client.getAliases(), 'prompt'));
  }

  async moveAlias(name: CollectionName, collection: CollectionName | null): Promise<void> {
    if (collection !== null) await this.#connection.collection(collection);
    if ((await this.getCollection(name)) !== undefined) throw nameTaken(name);
    await this.#connection.send(undefined, (client) => moveAlias(client, name, collection));
  }

  async countPoints(name: CollectionName, tenant?: TenantId): Promise<number> {
    await this.#connection.collection(name);
    return countPoints(
      shown(searchFilter(tenant, undefined)),
      countRequests(this.#connection, name, this.#shards.of(name, tenant)),
    );
  }

  async countDocuments(name: CollectionName, by: CountedField, tenant?: TenantId): Promise<DocumentCount[]> {
    await this.#connection.collection(name);
    return countByField(by, tenant, countRequests(this.#connection, name, this.#shards.of(name, tenant)));
  }

  async countLacking(name: CollectionName, vector: DenseName): Promise<number> {
    denseVector(await this.#connection.collection(name), vector);
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

  search(name: CollectionName, search: VectorSearch): Promise<ScoredPoint[]> {
    return this.#searches.find(name, search);
  }

  rank(name: CollectionName, searches: VectorSearch[]): Promise<RankedPoint[][]> {
    return this.#searches.rank(name, searches);
  }

  findNear(name: CollectionName, points: PointId[], search: NearSearch): Promise<RankedPoint[][]> {
    return this.#searches.findNear(name, points, search);
  }

  maxSimilarities(
    name: CollectionName,
    points: PointId[],
    query: TokenVectors,
    tenant?: TenantId,
  ): Promise<Map<PointId, Float32Array>> {
    return this.#searches.maxSimilarities(name, points, query, tenant);
  }

  getPayloads(name: CollectionName, points: PointId[]): Promise<Map<PointId, PointPayload>> {
    return this.#searches.payloads(name, points);
  }

  getVectors(
    name: CollectionName,
    points: PointId[],
    tenant?: TenantId,
  ): Promise<Map<PointId, PointVectors>> {
    return this.#searches.vectors(name, points, tenant);
  }

  getDense(name: CollectionName, points: PointId[], tenant?: TenantId): Promise<Map<PointId, Float32Array>> {
    return this.#searches.dense(name, points, tenant);
  }

  getPoints(name: CollectionName, documents: DocumentKey[]): Promise<StoredPoint[]> {
    return this.#scans.ofDocuments(name, documents);
  }

  scanPoints(name: CollectionName, scan: PointScan): Promise<StoredPoint[]> {
    return this.#scans.points(name, scan);
  }

  scanDocuments(name: CollectionName, scan: DocumentScan): Promise<ScannedDocument[]> {
    return this.#scans.documents(name, scan);
  }

  async addVectors(name: CollectionName, vectors: VectorAddition[], meant?: DenseVector): Promise<void> {
    const collection = await this.#connection.collection(name);
    const { name: vector } = checkAdditions(collection, vectors, meant);
    await addVectors(this.#connection, this.#shards, name, vector, vectors);
  }

  termFactors(name: CollectionName, scheme: SparseScheme, terms: Uint32Array): Promise<Float32Array> {
    return this.#searches.termFactors(name, scheme, terms);
  }

  /** For `doctor`. Errors: those of `ping`. */
  async report(): Promise<StoreReport> {
    return reportOn(this.#connection, await this.listCollections());
  }

  async ping(): Promise<void> {
    try {
      await this.#connection.version();
      await this.#connection.send(undefined, (client) => client.getCollections(), 'prompt');
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      throw new EmbedmillError('store_unavailable', why, { cause: thrown });
    }
  }

  /** There is nothing to release: idle connections close by themselves and keep no process alive. */
  async close(): Promise<void> {}

  async #countLacking(name: CollectionName, vector: DenseName): Promise<number> {
    const wanted = { exact: true, filter: shown(withoutVector(vector)) };
    return (await this.#connection.send(name, (client) => client.count(name, wanted))).count;
  }
}
