import { denseVectors, pointId, type Collection, type CollectionName, type PointId } from '@embedmill/jobs';
import { groups, groupsOfBytes } from '../groups.ts';
import { assertCurrent, writtenCollection } from '../known-definitions.ts';
import { confirmInOrder, decidedBy, deleteInOrder, replaceInOrder } from '../ordered-writes.ts';
import { checkedDocuments } from '../replacement.ts';
import { settled } from '../settled-writes.ts';
import type { DocumentKey, DocumentPoints, DocumentVersion, FoundDocument, Point } from '../store.ts';
import { fillFields } from './added-field.ts';
import { headRows, marksOf } from './heads.ts';
import type { MilvusConnection } from './milvus-connection.ts';
import { oneOf } from './milvus-filter.ts';
import { MilvusWrites, versionsOf, type Mark, type RowRequests, type Which } from './milvus-writes.ts';
import { KEY, rowKey, rowsOf, type Row } from './point-rows.ts';
import type { Registry } from './registry.ts';
import { markTable, vectorTable } from './table-names.ts';

/** The number of documents per look-up. */
const DOCUMENTS_AT_ONCE = 1000;
const MOST_ROWS = 256;
const MOST_BYTES = 5_000_000;

/** Looks up the documents of collections in Milvus, and writes them in the order of their sequences. */
export class Documents {
  readonly #connection: MilvusConnection;
  readonly #registry: Registry;

  constructor(connection: MilvusConnection, registry: Registry) {
    this.#connection = connection;
    this.#registry = registry;
  }

  async find(name: CollectionName, documents: DocumentKey[]): Promise<(FoundDocument | undefined)[]> {
    const collection = await this.#registry.collection(name);
    const ids = documents.map(({ tenant, id }) => pointId(tenant, name, id, 0));
    const found = new Map<PointId, FoundDocument>();
    for (const some of groups([...new Set(ids)], DOCUMENTS_AT_ONCE)) {
      const [rows, marks] = await Promise.all([
        headRows(this.#connection, collection, some),
        marksOf(this.#connection, collection, some),
      ]);
      const rowsBy = new Map(rows.map((row) => [rowKey(row.document, row.sequence), row]));
      for (const [id, { head }] of versionsOf(rows, marks)) {
        if (head === undefined) continue;
        const decided = decidedBy(head);
        const row = head.chunkCount > 0 ? rowsBy.get(rowKey(id, head.sequence)) : undefined;
        if (row === undefined) {
          found.set(id, { state: 'absent', decided });
          continue;
        }
        const { fingerprint, chunkCount, jobId, sequence } = row;
        found.set(id, { state: 'stored', fingerprint, chunkCount, jobId, sequence, decided });
      }
    }
    return ids.map((id) => found.get(id));
  }

  async replace(
    name: CollectionName,
    documents: DocumentPoints[],
    known?: Collection,
  ): Promise<DocumentKey[]> {
    const collection = await writtenCollection(this.#registry, name, known);
    const checked = checkedDocuments(collection, documents, known);
    const rows = new RowCache(collection);
    for (const { points } of checked) for (const point of points) rows.of(point);
    const overtaken = await replaceInOrder(this.#writes(collection, known, rows), checked);
    // A field may have been added since the definition was read.
    const now = await this.#registry.collection(name);
    if (hasOtherFields(now, collection)) {
      const ids = checked.map(({ tenant, id }) => pointId(tenant, name, id, 0));
      for (const some of groups(ids, DOCUMENTS_AT_ONCE)) await fillFields(this.#connection, now, some);
    }
    return overtaken;
  }

  async delete(
    name: CollectionName,
    documents: DocumentKey[],
    sequence: number,
    known?: Collection,
  ): Promise<DocumentKey[]> {
    const collection = await writtenCollection(this.#registry, name, known);
    if (documents.length === 0) return [];
    return deleteInOrder(this.#writes(collection, known), documents, sequence);
  }

  async confirm(name: CollectionName, versions: DocumentVersion[], sequence: number): Promise<DocumentKey[]> {
    const collection = await this.#registry.collection(name);
    return confirmInOrder(this.#writes(collection), versions, sequence);
  }

  async removeOvertaken(name: CollectionName, documents: DocumentKey[], sequence: number): Promise<void> {
    const collection = await this.#registry.collection(name);
    await this.#writes(collection).remove(documents, 1, sequence, 'exactly');
  }

  async purge(name: CollectionName, below: number): Promise<number> {
    const collection = await this.#registry.collection(name);
    const filter = `kind == "tombstone" and sequence < ${below}`;
    const count = await this.#connection.count(markTable(collection), filter);
    if (count > 0) await this.#connection.delete(markTable(collection), filter);
    return count;
  }

  #writes(collection: Collection, known = collection, rows = new RowCache(collection)): MilvusWrites {
    const name = collection.name as CollectionName;
    const connection = this.#connection;
    // First from the second table, so that an interrupted removal is still visible in the searched one and is repeated;
    // then once more, for rows copied there in between (see SecondVectors).
    const [searched, second] = denseVectors(collection).map((vector) => vectorTable(collection, vector.name));
    const tables = second === undefined ? [searched] : [second, searched, second];
    const requests: RowRequests = {
      upsert: (points) => this.#upsert(collection, points, rows),
      heads: (ids) => headRows(connection, collection, ids),
      there: async (ids) => {
        const table = vectorTable(collection, collection.vector);
        const found = await connection.rows(table, { filter: oneOf('point', ids), columns: ['point'] });
        return new Set(found.map((row) => row['point'] as PointId));
      },
      remove: async (documents, from, to, which, sequence) => {
        const filter = chunks(documents, from, to, which, sequence);
        for (const table of tables) if (table !== undefined) await connection.delete(table, filter);
      },
      marks: (ids) => marksOf(connection, collection, ids),
      mark: (marks) =>
        connection.upsert(
          markTable(collection),
          marks.map((mark) => ({ ...mark, [KEY]: markKey(mark), none: [1, 0] })),
        ),
      unmark: (documents, kind, which, sequence) => {
        const parts = [oneOf('document', documents), written(which, sequence)];
        if (kind !== undefined) parts.push(`kind == "${kind}"`);
        return connection.delete(markTable(collection), parts.join(' and '));
      },
      assertCurrent: () => assertCurrent(this.#registry, collection, known),
    };
    return new MilvusWrites(name, requests);
  }

  async #upsert(collection: Collection, points: readonly Point[], rows: RowCache): Promise<void> {
    const { vector, other } = collection;
    if (other !== undefined) {
      const table = vectorTable(collection, other.name);
      await this.#send(
        table,
        points.flatMap((point): Row[] => (point.other === undefined ? [] : [rows.of(point, point.other)])),
      );
      const lacking = points.filter((point) => point.other === undefined);
      const keys = lacking.map(({ id, payload }) => rowKey(id, payload.sequence));
      for (const some of groups(keys, DOCUMENTS_AT_ONCE))
        await this.#connection.delete(table, oneOf(KEY, some));
    }
    await this.#send(
      vectorTable(collection, vector),
      points.map((point) => rows.of(point)),
    );
  }

  async #send(table: string, rows: Row[]): Promise<void> {
    const sent = groupsOfBytes(rows, MOST_BYTES, bytesOf, MOST_ROWS).map((batch) =>
      this.#connection.upsert(table, batch),
    );
    await settled(sent);
  }
}

/**
 * The rows of a write's points, created before anything is written, so that data that Milvus cannot store is refused
 * first.
 */
class RowCache {
  readonly #collection: Collection;
  readonly #make: ReturnType<typeof rowsOf>;
  readonly #made = new Map<Point, Row>();

  constructor(collection: Collection) {
    this.#collection = collection;
    this.#make = rowsOf(collection);
  }

  of(point: Point, dense: Float32Array = point.dense): Row {
    let row = this.#made.get(point);
    if (row === undefined) {
      const { tenant, document_id: id } = point.payload;
      row = this.#make(point, pointId(tenant, this.#collection.name as CollectionName, id, 0), point.dense);
      this.#made.set(point, row);
    }
    return dense === point.dense ? row : { ...row, dense: Array.from(dense) };
  }
}

function markKey({ document, kind, sequence, written: of }: Mark): string {
  return `${rowKey(document, sequence)}:${kind}:${of}`;
}

function chunks(documents: PointId[], from: number, to: number, which: Which, sequence: number): string {
  const parts = [oneOf('document', documents), written(which, sequence)];
  if (from > 0) parts.push(`chunk_index >= ${from}`);
  if (to < Infinity) parts.push(`chunk_index < ${to}`);
  return parts.join(' and ');
}

function written(which: Which, sequence: number): string {
  return `sequence ${which === 'exactly' ? '==' : '<'} ${sequence}`;
}

function bytesOf({ payload, dense }: Row): number {
  const characters = (payload as string[]).reduce((sum, piece) => sum + piece.length, 0);
  return 3 * characters + 4 * (dense as number[]).length;
}

function hasOtherFields(a: Collection, b: Collection): boolean {
  return Object.keys(a.profile.filterable).some((field) => !Object.hasOwn(b.profile.filterable, field));
}
