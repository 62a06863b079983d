import {
  denseVectors,
  EmbedmillError,
  pointId,
  type Collection,
  type CollectionName,
  type DenseName,
  type DenseVector,
  type DocumentId,
  type FilterableType,
  type PointId,
  type SparseScheme,
  type TenantId,
  type TokenVectors,
} from '@embedmill/jobs';
import pLimit from 'p-limit';
import {
  assertSameCollection,
  collectionNotFound,
  definitionWithField,
  nameTaken,
  refuseLayout,
} from '../collections.ts';
import { conditionOf, satisfies } from '../condition.ts';
import { sortByDocument } from '../document-order.ts';
import { groups } from '../groups.ts';
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
import { checkAdditions, checkTokens, denseVector } from '../vector-check.ts';
import { fillFields } from './added-field.ts';
import { Documents } from './documents.ts';
import { isLite, type MilvusConnection } from './milvus-connection.ts';
import { milvusExpression, oneOf, quoted, selection } from './milvus-filter.ts';
import { KEY, PAYLOAD, payloadIn, pointIn } from './point-rows.ts';
import { pointPages, rowPages } from './point-scan.ts';
import { Registry } from './registry.ts';
import { Searches } from './searches.ts';
import { SecondVectors } from './second-vectors.ts';
import { markTable, tablePrefix, vectorTable } from './table-names.ts';
import { markTableOf, pointTable } from './tables.ts';

/** The number of documents whose points are read at once. */
const DOCUMENTS_AT_ONCE = 100;
/** The number of heads per page when counting. */
const HEADS_AT_ONCE = 5000;
/** The number of documents per response when read without vectors. */
const SCANNED_AT_ONCE = 1000;
/** The features that embedmill requires, above all an upsert's `partial_update`. */
const OLDEST = [2, 6];

/**
 * The vector store in a Milvus server, which any number of processes may use at the same time. `milvus-writes.ts`
 * describes concurrent writes of the same document, in a store without conditional writes.
 *
 * A collection consists of a Milvus table for each dense vector, a table of marks, and a row in the registry, which
 * defines that it exists: the row is written last and removed first. All reads have `Strong` consistency, so they see
 * all acknowledged writes.
 */
export class MilvusStore implements VectorStore {
  readonly description: string;
  readonly #connection: MilvusConnection;
  readonly #registry: Registry;
  readonly #documents: Documents;
  readonly #searches: Searches;
  readonly #seconds: SecondVectors;
  /** Sequentially, because each step reads the state and then changes it. */
  readonly #changes = pLimit(1);

  constructor(connection: MilvusConnection) {
    this.description = connection.description;
    this.#connection = connection;
    this.#registry = new Registry(connection);
    this.#documents = new Documents(connection, this.#registry);
    this.#searches = new Searches(connection, this.#registry);
    this.#seconds = new SecondVectors(connection, this.#registry);
  }

  createCollection(collection: Collection): Promise<void> {
    return this.#changes(() => this.#create(collection));
  }

  getCollection(name: CollectionName): Promise<Collection | undefined> {
    return this.#registry.reread(name);
  }

  listCollections(): Promise<Collection[]> {
    return this.#registry.collections();
  }

  updateCollection(collection: Collection, known?: Collection): Promise<void> {
    return this.#seconds.update(collection, known);
  }

  addField(name: CollectionName, field: string, type: FilterableType): Promise<void> {
    return this.#changes(async () => {
      const existing = await this.getCollection(name);
      if (existing === undefined) throw collectionNotFound(name);
      const wanted = definitionWithField(existing, field, type);
      if (wanted === existing) return;
      // Twice: rows that others write meanwhile with the previous definition are covered by the second pass, or by
      // their writers.
      await fillFields(this.#connection, wanted);
      const now = await this.getCollection(name);
      if (now === undefined) throw collectionNotFound(name);
      // Only adds the field, and keeps other changes made meanwhile.
      const changed = definitionWithField(now, field, type);
      await this.#registry.define(changed);
      await fillFields(this.#connection, changed);
    });
  }

  async deleteCollection(name: CollectionName): Promise<boolean> {
    if ((await this.getCollection(name)) === undefined) return false;
    for (const alias of await this.listAliases())
      if (alias.collection === name) await this.#registry.moveAlias(alias.name, null);
    await this.#registry.forget(name);
    // Includes the remains of an interrupted creation or change.
    const prefix = tablePrefix(name);
    for (const table of await this.#connection.tables())
      if (table.startsWith(prefix)) await this.#connection.drop(table);
    return true;
  }

  listAliases(): Promise<Alias[]> {
    return this.#registry.aliases();
  }

  async moveAlias(name: CollectionName, collection: CollectionName | null): Promise<void> {
    if (collection !== null && (await this.getCollection(collection)) === undefined)
      throw collectionNotFound(collection);
    if ((await this.getCollection(name)) !== undefined) throw nameTaken(name);
    await this.#registry.moveAlias(name, collection);
  }

  async countPoints(name: CollectionName, tenant?: TenantId): Promise<number> {
    const collection = await this.#registry.collection(name);
    const table = vectorTable(collection, collection.vector);
    return this.#connection.count(table, selection(tenant, undefined) ?? 'chunk_index >= 0');
  }

  /** Milvus cannot group counts, so this scans the heads. */
  async countDocuments(name: CollectionName, by: CountedField, tenant?: TenantId): Promise<DocumentCount[]> {
    const collection = await this.#registry.collection(name);
    const filter = ['chunk_index == 0', selection(tenant, undefined) ?? []].flat().join(' and ');
    const counts = new Map<string | null, number>();
    const wanted = { filter, columns: [KEY, by], limit: HEADS_AT_ONCE };
    for await (const page of this.#connection.pages(vectorTable(collection, collection.vector), wanted)) {
      for (const row of page) {
        const value = (row[by] ?? null) as string | null;
        counts.set(value, (counts.get(value) ?? 0) + 1);
      }
    }
    return [...counts].map(([value, documents]) => ({ value, documents }));
  }

  async countLacking(name: CollectionName, vector: DenseName): Promise<number> {
    const collection = await this.#registry.collection(name);
    denseVector(collection, vector);
    return this.#seconds.countLacking(collection, vector);
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

  removeOvertaken(name: CollectionName, documents: DocumentKey[], sequence: number): Promise<void> {
    return this.#documents.removeOvertaken(name, documents, sequence);
  }

  async takeBack(): Promise<void> {
    // A collection that was created again has its own tables; writes to the previous ones were removed with those.
  }

  purgeTombstones(name: CollectionName, below: number): Promise<number> {
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

  async getPoints(name: CollectionName, documents: DocumentKey[]): Promise<StoredPoint[]> {
    const collection = await this.#registry.collection(name);
    const ids = [...new Set(documents.map(({ tenant, id }) => pointId(tenant, name, id, 0)))];
    const points: StoredPoint[] = [];
    for (const some of groups(ids, DOCUMENTS_AT_ONCE))
      for await (const page of pointPages(this.#connection, collection, oneOf('document', some)))
        points.push(...page);
    return sortByDocument(points, documents);
  }

  async scanPoints(
    name: CollectionName,
    { limit, after, filter, tenant }: PointScan,
  ): Promise<StoredPoint[]> {
    const collection = await this.#registry.collection(name);
    const condition = filter && conditionOf(filter, collection.profile.filterable);
    const expression = condition && milvusExpression(condition);
    const checked = expression?.exact === false ? condition : undefined;
    const points: StoredPoint[] = [];
    const wanted = selection(tenant, expression);
    for await (const page of pointPages(this.#connection, collection, wanted, after, limit)) {
      points.push(...page.filter(({ payload }) => checked === undefined || satisfies(checked, payload)));
      if (points.length >= limit) break;
    }
    return points.slice(0, limit);
  }

  async scanDocuments(
    name: CollectionName,
    { limit, after, filter, tenant, source }: DocumentScan,
  ): Promise<ScannedDocument[]> {
    const collection = await this.#registry.collection(name);
    const condition = filter && conditionOf(filter, collection.profile.filterable);
    const expression = condition && milvusExpression(condition);
    const checked = expression?.exact === false ? condition : undefined;
    const parts = ['chunk_index == 0', selection(tenant, expression) ?? []].flat();
    if (source !== undefined) parts.push(source === null ? 'source is null' : `source == ${quoted(source)}`);
    const columns = [KEY, 'tenant', 'document_id', ...(checked === undefined ? [] : [PAYLOAD])];
    const wanted = { filter: parts.join(' and '), columns, after, limit, atOnce: SCANNED_AT_ONCE };
    const documents: ScannedDocument[] = [];
    for await (const page of rowPages(this.#connection, collection, wanted)) {
      for (const row of page) {
        if (checked !== undefined && !satisfies(checked, payloadIn(row))) continue;
        documents.push({
          point: pointIn(row[KEY] as string),
          tenant: row['tenant'] as TenantId,
          id: row['document_id'] as DocumentId,
        });
      }
      if (documents.length >= limit) break;
    }
    return documents.slice(0, limit);
  }

  async addVectors(name: CollectionName, vectors: VectorAddition[], meant?: DenseVector): Promise<void> {
    const collection = await this.#registry.collection(name);
    const { name: other } = checkAdditions(collection, vectors, meant);
    await this.#seconds.add(collection, other, vectors);
  }

  async getDense(
    name: CollectionName,
    points: PointId[],
    tenant?: TenantId,
  ): Promise<Map<PointId, Float32Array>> {
    const vectors = await this.getVectors(name, points, tenant);
    return new Map([...vectors].map(([id, { dense }]) => [id, dense]));
  }

  /** Always empty, because collections with token vectors are refused. */
  async maxSimilarities(
    name: CollectionName,
    _: PointId[],
    query: TokenVectors,
  ): Promise<Map<PointId, Float32Array>> {
    checkTokens(await this.#registry.collection(name), query, 'the query');
    return new Map();
  }

  termFactors(name: CollectionName, scheme: SparseScheme, terms: Uint32Array): Promise<Float32Array> {
    return this.#searches.termFactors(name, scheme, terms);
  }

  /** For `doctor`. Errors: those of `ping`. */
  async report(): Promise<StoreReport> {
    const version = await this.#connection.version();
    const collections = await this.listCollections();
    const remarks = isLite(version)
      ? [
          'Milvus Lite is only for trying out: it cannot index lists, and accepts writes from only one process',
        ]
      : [];
    for (const { name, profile } of collections)
      if (profile.storage === 'binary')
        remarks.push(`the collection "${name}" is stored as int8, not as binary`);
    return { version, collections: collections.length, remarks };
  }

  async ping(): Promise<void> {
    try {
      const version = await this.#connection.version();
      if (isTooOld(version)) {
        const message = `it has version ${version}, but embedmill needs ${OLDEST.join('.')} or later`;
        throw new EmbedmillError('store_unavailable', message);
      }
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      throw new EmbedmillError('store_unavailable', why, { cause: thrown });
    }
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #create(collection: Collection): Promise<void> {
    const name = collection.name as CollectionName;
    const alias = (await this.listAliases()).find((one) => one.name === name);
    if (alias !== undefined) throw nameTaken(name, alias);
    const existing = await this.#registry.reread(name);
    if (existing !== undefined) {
      assertSameCollection(existing, collection);
      return;
    }
    refuseTokens(collection);
    refuseLayout(collection, 'Milvus');
    const { types } = this.#connection;
    for (const { name: vector } of denseVectors(collection))
      await this.#connection.create(vectorTable(collection, vector), pointTable(types, collection, vector));
    await this.#connection.create(markTable(collection), markTableOf(types));
    // Another process may have created it meanwhile.
    const now = await this.#registry.reread(name);
    if (now === undefined) await this.#registry.define(collection);
    else assertSameCollection(now, collection);
  }
}

/**
 * @throws EmbedmillError `invalid_profile` if the collection would store token vectors, which Milvus cannot compare.
 */
function refuseTokens({ profile }: Collection): void {
  if (profile.lateInteraction === undefined) return;
  const path = 'profile/lateInteraction';
  const message =
    'Milvus does not store token vectors; leave it out so that reranking computes them, or use Qdrant or the embedded store';
  throw new EmbedmillError('invalid_profile', `${path}: ${message}`, { details: [{ path, message }] });
}

function isTooOld(version: string): boolean {
  const [major, minor] = (/^v?(\d+)\.(\d+)/.exec(version)?.slice(1) ?? []).map(Number);
  if (isLite(version) || major === undefined || minor === undefined) return false;
  const [wanted = 0, least = 0] = OLDEST;
  return major < wanted || (major === wanted && minor < least);
}
