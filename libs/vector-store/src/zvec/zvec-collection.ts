import {
  denseVectors,
  type Collection,
  type DenseName,
  type DenseVector,
  type FilterableType,
  type PointId,
  type SparseScheme,
  type TenantId,
  type TokenVectors,
} from '@embedmill/jobs';
import {
  assertKnown,
  assertNoneLacking,
  assertNotRemade,
  assertTwin,
  definitionWithField,
  needsWholeVector,
  vectorChange,
} from '../collections.ts';
import { conditionOf } from '../condition.ts';
import { checkedDocuments } from '../replacement.ts';
import type {
  CountedField,
  DocumentCount,
  DocumentKey,
  DocumentPoints,
  DocumentScan,
  DocumentVersion,
  FoundDocument,
  PointPayload,
  PointScan,
  PointVectors,
  RankedPoint,
  ScannedDocument,
  ScoredPoint,
  StoredPoint,
  VectorAddition,
  VectorSearch,
} from '../store.ts';
import { checkAdditions, checkTokens, denseVector } from '../vector-check.ts';
import { removeFolder, tableFolder, writeDefinition } from './collection-folder.ts';
import { fillAddedFields } from './added-field.ts';
import { countLacking, createTable, tablesOf } from './collection-tables.ts';
import { CollectionSearches } from './collection-searches.ts';
import { CollectionTerms } from './collection-terms.ts';
import * as column from './columns.ts';
import { countPoints, DocumentCounts } from './document-counts.ts';
import { DocumentWrites } from './document-writes.ts';
import { inTurn, type Zvec } from './native.ts';
import { readDocuments, readPayloads, readVectors, type Tables } from './point-reader.ts';
import type { PointOrder } from './point-order.ts';
import { PointScanner } from './point-scanner.ts';
import { Tombstones } from './tombstones.ts';
import { Running } from './running.ts';
import { rankTable, searchTable } from './table-search.ts';
import { TokenTable } from './token-table.ts';
import { addVectorsTo } from './vector-additions.ts';
import { ZvecTable } from './zvec-table.ts';

/** The time without writes after which written rows are prepared for reading, in milliseconds. */
const SETTLE_MS = 3000;

interface Parts {
  tables: Map<DenseName, ZvecTable>;
  tombstones: Tombstones;
  tokens: TokenTable | undefined;
  isEmpty: boolean;
}

/**
 * One open collection, which ZvecStore creates and closes.
 *
 * Each dense vector has a table of complete rows. The rows of the table that searches use are the collection's points.
 * The other table, if there is one, has the rows that have got its vector so far. Writes go to it first, so whatever is
 * found in the searched table is complete in both. Swapping them only changes the definition, and is possible only once
 * the other table has a row for every point, so the searched table always has all points with all their data.
 *
 * Writes and changes of the definition run sequentially, reads concurrently with them. `close` waits for all running
 * work; nothing may be called afterwards.
 */
export class ZvecCollection {
  readonly folder: string;
  readonly #zvec: Zvec;
  readonly #tables: Map<DenseName, ZvecTable>;
  #columnsOf: column.ColumnsOf;
  /** By the definition, or by the new one while a field is being added. */
  #rowOf: ReturnType<typeof column.rowOf>;
  readonly #terms: CollectionTerms;
  readonly #tombstones: Tombstones;
  /** If the profile has them. */
  readonly #tokens: TokenTable | undefined;
  readonly #documents: DocumentWrites;
  readonly #searches: CollectionSearches;
  readonly #scanner = new PointScanner();
  readonly #counts = new DocumentCounts();
  readonly #running = new Running();
  /** Runs once nothing has been written for a moment. */
  #settling: NodeJS.Timeout | undefined;
  #definition: Collection;
  #lastWrite: Promise<unknown> = Promise.resolve();
  #lastAddition: Promise<unknown> = Promise.resolve();

  /**
   * @throws EmbedmillError `store_unavailable` if zvec cannot open it because another process has it, or it is damaged.
   */
  static async open(zvec: Zvec, definition: Collection, folder: string): Promise<ZvecCollection> {
    const tables = await tablesOf(definition, async ({ name }) => {
      const table = await inTurn(() => ZvecTable.open(zvec, definition.name, tableFolder(folder, name)));
      await table.addColumns(column.orderFields(zvec));
      return table;
    });
    try {
      const tombstones = await Tombstones.open(zvec, definition, folder);
      const tokens = await TokenTable.open(definition, folder);
      return new ZvecCollection(zvec, definition, folder, { tables, tombstones, tokens, isEmpty: false });
    } catch (thrown) {
      for (const table of tables.values()) await table.close();
      throw thrown;
    }
  }

  static async create(zvec: Zvec, definition: Collection, folder: string): Promise<ZvecCollection> {
    const tables = await tablesOf(definition, (vector) => createTable(zvec, definition, vector, folder));
    const tombstones = Tombstones.none(zvec, definition, folder);
    try {
      const tokens = await TokenTable.open(definition, folder);
      return new ZvecCollection(zvec, definition, folder, { tables, tombstones, tokens, isEmpty: true });
    } catch (thrown) {
      for (const table of tables.values()) await table.close();
      throw thrown;
    }
  }

  private constructor(
    zvec: Zvec,
    definition: Collection,
    folder: string,
    { tables, tombstones, tokens, isEmpty }: Parts,
  ) {
    this.#zvec = zvec;
    this.#definition = definition;
    this.folder = folder;
    this.#tables = tables;
    this.#tombstones = tombstones;
    this.#tokens = tokens;
    this.#columnsOf = column.columnsOf(definition);
    this.#terms = new CollectionTerms(column.countedSchemes(definition), isEmpty);
    this.#rowOf = column.rowOf(definition);
    this.#documents = new DocumentWrites(
      () => this.#tablesNow,
      { terms: this.#terms, tombstones, tokens },
      (point, dense, document) => this.#rowOf(point, dense, document),
    );
    this.#searches = new CollectionSearches(
      () => ({
        definition: this.#definition,
        columnsOf: this.#columnsOf,
        current: this.#tablesNow.current,
        tableOf: (vector) => this.#tables.get(vector),
      }),
      this.#terms,
      () => this.#countTerms(),
    );
  }

  get definition(): Collection {
    return this.#definition;
  }

  async count(tenant?: TenantId): Promise<number> {
    return countPoints(this.#tablesNow.current, tenant);
  }

  countDocuments(by: CountedField, tenant?: TenantId): Promise<DocumentCount[]> {
    return this.#running.track(this.#counts.by(by, this.#tablesNow.current, tenant));
  }

  /** The points without a vector of this name. */
  countLacking(vector: DenseName): Promise<number> {
    return this.#write(() => {
      denseVector(this.#definition, vector);
      return countLacking(this.#tables, vector);
    });
  }

  update(wanted: Collection, known?: Collection): Promise<void> {
    return this.#write(async () => {
      assertKnown(this.#definition, known);
      const { added, dropped } = vectorChange(this.#definition, wanted);
      if (needsWholeVector(this.#definition, wanted))
        assertNoneLacking(wanted, await countLacking(this.#tables, wanted.vector));
      const table = added && (await createTable(this.#zvec, wanted, added, this.folder));
      try {
        await writeDefinition(this.folder, wanted);
      } catch (thrown) {
        await table?.close();
        throw thrown;
      }
      if (added !== undefined && table !== undefined) this.#tables.set(added.name, table);
      if (wanted.vector !== this.#definition.vector) this.#terms.forget();
      this.#definition = wanted;
      if (dropped !== undefined) await this.#drop(dropped.name);
    });
  }

  /**
   * From now on, new rows have the field's columns; then existing rows get them, in batches; finally the field becomes
   * part of the definition. If interrupted, the next call starts again.
   */
  addField(field: string, type: FilterableType): Promise<void> {
    const addition = this.#lastAddition.then(async () => {
      const wanted = definitionWithField(this.#definition, field, type);
      if (wanted === this.#definition) return;
      const write = <T>(action: () => Promise<T>) => this.#write(action);
      try {
        await write(async () => {
          for (const table of this.#tables.values())
            await table.addColumns(column.addedColumns(this.#zvec, wanted));
          this.#rowOf = column.rowOf(wanted);
        });
        await fillAddedFields(this.#zvec, wanted, [...this.#tables.values()], write);
        await write(async () => {
          // Only adds the field, and keeps other changes made meanwhile.
          const now = definitionWithField(this.#definition, field, type);
          await writeDefinition(this.folder, now);
          this.#definition = now;
        });
      } finally {
        this.#columnsOf = column.columnsOf(this.#definition);
        this.#rowOf = column.rowOf(this.#definition);
      }
    });
    this.#lastAddition = addition.catch(() => undefined);
    return this.#running.track(addition);
  }

  find(documents: DocumentKey[]): Promise<(FoundDocument | undefined)[]> {
    return this.#running.track(this.#documents.find(documents));
  }

  /** Returns those that were overtaken. */
  async replace(documents: DocumentPoints[], known?: Collection): Promise<DocumentKey[]> {
    if (documents.length === 0) return [];
    return this.#change(known, () =>
      this.#documents.replace(checkedDocuments(this.#definition, documents, known)),
    );
  }

  /** Returns those that were overtaken. */
  async deleteDocuments(
    documents: DocumentKey[],
    sequence: number,
    known?: Collection,
  ): Promise<DocumentKey[]> {
    if (documents.length === 0) return [];
    return this.#change(known, () => this.#documents.delete(documents, sequence));
  }

  /** Returns those that no longer have these versions. */
  confirm(versions: DocumentVersion[], sequence: number): Promise<DocumentKey[]> {
    return this.#write(() => this.#documents.confirm(versions, sequence));
  }

  purgeTombstones(below: number): Promise<number> {
    return this.#write(() => this.#tombstones.purge(below));
  }

  search(search: VectorSearch): Promise<ScoredPoint[]> {
    return this.#running.track(this.#searches.find(search, searchTable));
  }

  rank(search: VectorSearch): Promise<RankedPoint[]> {
    return this.#running.track(this.#searches.find(search, rankTable));
  }

  getPayloads(ids: readonly PointId[]): Promise<Map<PointId, PointPayload>> {
    return this.#running.track(readPayloads(this.#tablesNow.current, ids));
  }

  getVectors(ids: readonly PointId[], tenant?: TenantId): Promise<Map<PointId, PointVectors>> {
    return this.#running.track(readVectors(this.#tablesNow.current, ids, tenant));
  }

  async getDense(ids: readonly PointId[], tenant?: TenantId): Promise<Map<PointId, Float32Array>> {
    if (this.#tokens !== undefined) return this.#running.track(this.#tokens.dense(ids, tenant));
    const vectors = await this.getVectors(ids, tenant);
    return new Map([...vectors].map(([id, { dense }]) => [id, dense]));
  }

  getPoints(documents: DocumentKey[]): Promise<StoredPoint[]> {
    return this.#running.track(this.#readDocuments(documents));
  }

  async #readDocuments(documents: DocumentKey[]): Promise<StoredPoint[]> {
    const points = await readDocuments(this.#tablesNow, documents);
    return this.#tokens === undefined ? points : this.#tokens.addTo(points);
  }

  async maxSimilarities(
    ids: readonly PointId[],
    query: TokenVectors,
    tenant?: TenantId,
  ): Promise<Map<PointId, Float32Array>> {
    checkTokens(this.#definition, query, 'the query');
    return this.#running.track(
      this.#tokens?.maxSimilarities(ids, query, tenant) ?? Promise.resolve(new Map()),
    );
  }

  scan(scan: PointScan): Promise<StoredPoint[]> {
    const condition = scan.filter && conditionOf(scan.filter, this.#definition.profile.filterable);
    const page = async () => this.#scanner.page(await this.#orderFor(scan), this.#tablesNow, scan, condition);
    return this.#running.track(page());
  }

  scanDocuments(scan: DocumentScan): Promise<ScannedDocument[]> {
    const condition = scan.filter && conditionOf(scan.filter, this.#definition.profile.filterable);
    const page = async () =>
      this.#scanner.documents(await this.#orderFor(scan), this.#tablesNow.current, scan, condition);
    return this.#running.track(page());
  }

  async #orderFor(scan: PointScan): Promise<PointOrder> {
    return (
      this.#scanner.orderFor(scan) ??
      (await this.#write(() => this.#scanner.takeOrder(this.#tablesNow.current)))
    );
  }

  addVectors(vectors: VectorAddition[], vector?: DenseVector): Promise<void> {
    return this.#write(async () => {
      const { name: vectorName } = checkAdditions(this.#definition, vectors, vector);
      const { current, other } = this.#tablesNow;
      if (other === undefined) return;
      await addVectorsTo(other, current, vectorName, vectors);
    });
  }

  termFactors(scheme: SparseScheme, terms: Uint32Array): Promise<Float32Array> {
    return this.#running.track(this.#searches.termFactors(scheme, terms));
  }

  /** Waits for running work, then releases the files. */
  async close(): Promise<void> {
    await this.#running.ended();
    clearTimeout(this.#settling);
    for (const table of this.#tables.values()) await table.close();
    await this.#tombstones.close();
    this.#tokens?.close();
  }

  get #tablesNow(): Tables {
    const [current, other] = denseVectors(this.#definition).map(({ name }) => this.#tables.get(name));
    if (current === undefined) throw new Error(`the collection "${this.#definition.name}" has no table`);
    return { current, other };
  }

  async #countTerms(): Promise<void> {
    if (!this.#terms.isKnown) await this.#write(() => this.#terms.count(this.#tablesNow.current));
  }

  async #drop(name: DenseName): Promise<void> {
    const table = this.#tables.get(name);
    this.#tables.delete(name);
    await table?.close();
    await removeFolder(tableFolder(this.folder, name));
  }

  /** Runs a write of rows. If it fails midway, the term counts become unknown. */
  #change<T>(known: Collection | undefined, change: () => Promise<T>): Promise<T> {
    return this.#write(async () => {
      if (known !== undefined) {
        assertNotRemade(this.#definition, known);
        assertTwin(this.#definition, known);
      }
      try {
        const changed = await change();
        this.#settleLater();
        return changed;
      } catch (thrown) {
        this.#terms.forget();
        throw thrown;
      }
    });
  }

  #settleLater(): void {
    clearTimeout(this.#settling);
    const settle = async (): Promise<void> => {
      for (const table of this.#tables.values()) await table.settle();
    };
    // A failure here is retried after the next write.
    this.#settling = setTimeout(() => void this.#write(settle).catch(() => undefined), SETTLE_MS).unref();
  }

  #write<T>(action: () => Promise<T>): Promise<T> {
    const write = this.#lastWrite.then(action);
    this.#lastWrite = write.catch(() => undefined);
    return this.#running.track(write);
  }
}
