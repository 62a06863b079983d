import {
  denseVectors,
  type Collection,
  type CollectionName,
  type DenseName,
  type PointId,
} from '@embedmill/jobs';
import {
  assertKnown,
  assertNoneLacking,
  collectionNotFound,
  needsWholeVector,
  vectorChange,
} from '../collections.ts';
import { groups } from '../groups.ts';
import type { VectorAddition } from '../store.ts';
import type { MilvusConnection } from './milvus-connection.ts';
import { oneOf } from './milvus-filter.ts';
import { KEY, PAYLOAD, payloadIn, payloadPieces, VECTOR, type Row } from './point-rows.ts';
import type { Registry } from './registry.ts';
import { vectorTable } from './table-names.ts';
import { columnsOf, pointTable } from './tables.ts';

/** The number of points that get a second vector at once. */
const POINTS_AT_ONCE = 256;
const MOST_TRIES = 3;
/** The number of keys per page. */
const KEYS_AT_ONCE = 5000;

/**
 * A collection's second dense vector, in a separate table of complete rows, because Milvus cannot add vectors to an
 * existing collection. The table of the vector that searches use defines the collection's points; swapping the vectors
 * only changes the definition.
 */
export class SecondVectors {
  readonly #connection: MilvusConnection;
  readonly #registry: Registry;

  constructor(connection: MilvusConnection, registry: Registry) {
    this.#connection = connection;
    this.#registry = registry;
  }

  /**
   * Makes `wanted` the definition, as specified by VectorStore.updateCollection.
   *
   * Others write at the same time, some of them with the previous definition: they see the new one after their write,
   * and repeat it. So the points without the vector to search by are counted before the change, and again afterwards.
   */
  async update(wanted: Collection, known: Collection | undefined): Promise<void> {
    const name = wanted.name as CollectionName;
    const existing = await this.#registry.reread(name);
    if (existing === undefined) throw collectionNotFound(name);
    assertKnown(existing, known);
    const { added, dropped } = vectorChange(existing, wanted);
    const isRisky = needsWholeVector(existing, wanted);
    if (isRisky) assertNoneLacking(wanted, await this.countLacking(existing, wanted.vector));
    if (added !== undefined) {
      const table = vectorTable(wanted, added.name);
      // Removes the remains of an interrupted change.
      await this.#connection.drop(table);
      await this.#connection.create(table, pointTable(this.#connection.types, wanted, added.name));
    }
    await this.#registry.define(wanted);
    if (!isRisky) return;
    const lacking = await this.countLacking(existing, wanted.vector);
    if (lacking > 0) {
      await this.#registry.define(existing);
      assertNoneLacking(wanted, lacking);
    }
    if (dropped !== undefined) await this.#connection.drop(vectorTable(existing, dropped.name));
  }

  /** The points of the searched table that have no row in this vector's table. */
  async countLacking(collection: Collection, vector: DenseName): Promise<number> {
    const names = denseVectors(collection).map(({ name }) => name);
    const elsewhere = names.find((name) => name !== vector);
    if (elsewhere === undefined) return 0;
    const having = this.#keys(vectorTable(collection, vector));
    let other = await having.next();
    let lacking = 0;
    // Both in order of keys.
    for await (const key of this.#keys(vectorTable(collection, elsewhere))) {
      while (other.done !== true && other.value < key) other = await having.next();
      if (other.done === true || other.value !== key) lacking += 1;
    }
    return lacking;
  }

  /** Adds vectors to existing points with these sequences that have none. */
  async add(collection: Collection, other: DenseName, vectors: VectorAddition[]): Promise<void> {
    const from = vectorTable(collection, collection.vector);
    const to = vectorTable(collection, other);
    const columns = columnsOf(this.#connection.types, collection).filter((column) => column !== VECTOR);
    for (const some of groups(vectors, POINTS_AT_ONCE)) {
      const additions = new Map(some.map((one) => [one.id, one]));
      const ofThese = oneOf('point', [...additions.keys()]);
      const having = await this.#connection.rows(to, { filter: ofThese, columns: [KEY] });
      const keys = new Set(having.map((row) => row[KEY]));
      const rows = await this.#connection.rows(from, { filter: ofThese, columns });
      const copies = rows.flatMap((row): Row[] => {
        const addition = additions.get(row['point'] as PointId);
        const isMeant =
          addition !== undefined &&
          (addition.sequence === undefined || addition.sequence === Number(row['sequence']));
        if (!isMeant || keys.has(row[KEY])) return [];
        return [
          { ...row, [PAYLOAD]: withHash(row, other, addition.hash), [VECTOR]: Array.from(addition.values) },
        ];
      });
      await this.#connection.upsert(to, copies);
      const left = await this.#removeGone(from, to, copies);
      const hashed = left.filter((row) => additions.get(row['point'] as PointId)?.hash !== undefined);
      await this.#tellHashes(from, hashed);
    }
  }

  /** Writes the copies' hashes to the searched rows; rows removed meanwhile need none. */
  async #tellHashes(table: string, copies: Row[]): Promise<void> {
    const told = copies.map((row) => ({
      [KEY]: row[KEY],
      tenant: row['tenant'],
      [PAYLOAD]: row[PAYLOAD],
    }));
    for (let tries = 1, left: Row[] = told; left.length > 0; tries += 1) {
      try {
        await this.#connection.update(table, left);
        return;
      } catch (thrown) {
        if (tries === MOST_TRIES) throw thrown;
        left = await this.#thereOf(table, left);
      }
    }
  }

  /** Removes copied rows whose originals were removed meanwhile, and returns the others. */
  async #removeGone(from: string, to: string, copies: Row[]): Promise<Row[]> {
    const left = await this.#thereOf(from, copies);
    const gone = copies.filter((row) => !left.includes(row)).map((row) => row[KEY] as string);
    if (gone.length > 0) await this.#connection.delete(to, oneOf(KEY, gone));
    return left;
  }

  /** Those of these rows that exist in a table. */
  async #thereOf(table: string, rows: Row[]): Promise<Row[]> {
    if (rows.length === 0) return [];
    const keys = rows.map((row) => row[KEY] as string);
    const found = await this.#connection.rows(table, { filter: oneOf(KEY, keys), columns: [KEY] });
    const there = new Set(found.map((row) => row[KEY]));
    return rows.filter((row) => there.has(row[KEY]));
  }

  async *#keys(table: string): AsyncGenerator<string> {
    for await (const page of this.#connection.pages(table, { columns: [KEY], limit: KEYS_AT_ONCE }))
      for (const row of page) yield row[KEY] as string;
  }
}

/** A row's payload, with the hash of its new vector's input. */
function withHash(row: Row, vector: DenseName, hash: string | undefined): string[] {
  if (hash === undefined) return row[PAYLOAD] as string[];
  const payload = payloadIn(row);
  return payloadPieces({ ...payload, hashes: { ...payload.hashes, [vector]: hash } });
}
