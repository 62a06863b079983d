import type { JobId, PointId } from '@embedmill/jobs';
import type { ZVecDoc } from '@zvec/zvec';
import { groups } from '../groups.ts';
import { decidedBy } from '../ordered-writes.ts';
import type {
  DocumentKey,
  DocumentPoints,
  DocumentVersion,
  FoundDocument,
  Point,
  StoredDocument,
} from '../store.ts';
import type { CollectionTerms } from './collection-terms.ts';
import * as column from './columns.ts';
import { inDocuments, staleChunks } from './document-filter.ts';
import type { Tables } from './point-reader.ts';
import type { TokenTable } from './token-table.ts';
import type { Tombstones } from './tombstones.ts';
import { MOST_ROWS, type ZvecTable } from './zvec-table.ts';

/** The number of documents per look-up. */
const DOCUMENTS_AT_ONCE = 500;

/**
 * Writes whole documents to a collection's tables in the order of their sequences. Only one process writes, one write
 * at a time, so each write first reads what decided the documents, and skips those decided by a greater sequence.
 *
 * The remaining problem is a crash during a write. Replacing a document deletes its chunk 0 and the chunks it will no
 * longer have, then writes the others, and finally chunk 0. If interrupted, neither the old nor the new version is
 * found; but a document with a single chunk, the usual case, is never missing. Its other chunks show which sequence had
 * begun. A deletion writes the tombstone first.
 *
 * ZvecCollection calls all except `find` only within its writes.
 */
export class DocumentWrites {
  readonly #tables: () => Tables;
  readonly #terms: CollectionTerms;
  readonly #tombstones: Tombstones;
  readonly #tokens: TokenTable | undefined;
  readonly #rowOf: ReturnType<typeof column.rowOf>;

  constructor(
    tables: () => Tables,
    {
      terms,
      tombstones,
      tokens,
    }: { terms: CollectionTerms; tombstones: Tombstones; tokens: TokenTable | undefined },
    rowOf: ReturnType<typeof column.rowOf>,
  ) {
    this.#tables = tables;
    this.#terms = terms;
    this.#tombstones = tombstones;
    this.#tokens = tokens;
    this.#rowOf = rowOf;
  }

  async find(documents: readonly DocumentKey[]): Promise<(FoundDocument | undefined)[]> {
    return (await this.#found(documents)).map((found) => found?.document);
  }

  /** Returns those that were overtaken. */
  async replace(documents: readonly DocumentPoints[]): Promise<DocumentKey[]> {
    const overtaken: DocumentKey[] = [];
    for (const some of groups(documents, DOCUMENTS_AT_ONCE)) {
      const digested = some.map(digestedOf);
      const there = await this.#rowsOf(digested);
      const isLosing = (one: Digested<DocumentPoints>): boolean =>
        isOvertaken(there, one, one.document.sequence);
      const winning = digested.filter((one) => !isLosing(one));
      overtaken.push(...(await this.#others(digested.filter(isLosing).map(({ document }) => document))));
      const empty = winning.map(({ document }) => document).filter(isEmpty);
      for (const [sequence, gone] of Map.groupBy(empty, (document) => document.sequence))
        await this.#tombstones.put(gone, sequence);
      await this.#tokens?.replace(winning.map(({ document }) => document));
      const { current, other } = this.#tables();
      if (other !== undefined) {
        const known = await this.#rowsIn(other, winning.map(digestIn));
        await this.#replaceIn(other, winning, known && documentsOf(known), (point) => point.other);
      }
      this.#countOut(there, winning);
      const known = there.rows && documentsOf(there.rows);
      await this.#replaceIn(current, winning, known, (point) => point.dense, this.#terms);
    }
    return overtaken;
  }

  /** Returns those that were overtaken. */
  async delete(documents: readonly DocumentKey[], sequence: number): Promise<DocumentKey[]> {
    const overtaken: DocumentKey[] = [];
    for (const some of groups(documents, DOCUMENTS_AT_ONCE)) {
      const digested = some.map(digestedOf);
      const there = await this.#rowsOf(digested);
      const winning = digested.filter((one) => !isOvertaken(there, one, sequence));
      const losing = digested.filter((one) => isOvertaken(there, one, sequence));
      overtaken.push(...losing.map(({ document }) => keyOf(document)));
      if (winning.length === 0) continue;
      const going = winning.map(({ document }) => document);
      await this.#tombstones.put(going, sequence);
      this.#countOut(there, winning);
      const { current, other } = this.#tables();
      // After an interruption, the searched table is complete.
      for (const table of other === undefined ? [current] : [other, current]) {
        await table.delete(inDocuments(winning.map(digestIn)));
        await table.sync();
      }
      this.#tokens?.delete(going);
    }
    return overtaken;
  }

  /** Returns those that no longer have these versions. */
  async confirm(versions: readonly DocumentVersion[], sequence: number): Promise<DocumentKey[]> {
    const found = await this.#found(versions);
    const lost: DocumentKey[] = [];
    const rows: { id: PointId; fields: Record<string, number> }[] = [];
    for (const [n, version] of versions.entries()) {
      const { document, head } = found[n] ?? {};
      if (document?.state !== 'stored' || document.sequence !== version.sequence) lost.push(keyOf(version));
      else if (document.decided < sequence && head !== undefined) {
        rows.push({ id: head, fields: { [column.CONFIRMED]: sequence } });
      }
    }
    if (rows.length === 0) return lost;
    const { current, other } = this.#tables();
    if (other !== undefined) {
      const there = await other.fetch(
        rows.map(({ id }) => id),
        [],
        false,
      );
      await other.update(rows.filter(({ id }) => there.has(id)));
      await other.sync();
    }
    await current.update(rows);
    await current.sync();
    return lost;
  }

  /**
   * Those of these documents that are not already stored in this version; one stored by an earlier attempt may only
   * have been confirmed.
   */
  async #others(documents: readonly DocumentPoints[]): Promise<DocumentKey[]> {
    if (documents.length === 0) return [];
    const found = await this.#found(documents);
    return documents.flatMap((document, n) => {
      const there = found[n]?.document;
      const [first] = document.points;
      const isThere =
        there?.state === 'stored' &&
        there.sequence === document.sequence &&
        there.fingerprint === first?.payload.fingerprint;
      return isThere ? [] : keyOf(document);
    });
  }

  async #found(documents: readonly DocumentKey[]): Promise<(Found | undefined)[]> {
    const digests = documents.map(column.documentDigest);
    const heads = await this.#heads(digests);
    const deleted = await this.#tombstones.find(digests);
    return digests.map((digest) => {
      const found = heads.get(digest);
      const tombstone = deleted.get(digest);
      if (found !== undefined && found.document.decided > (tombstone ?? -1)) return found;
      return tombstone === undefined ? undefined : { document: { state: 'absent', decided: tombstone } };
    });
  }

  async #heads(digests: readonly string[]): Promise<Map<string, Found>> {
    const heads = new Map<string, Found>();
    for (const wanted of groups(digests, DOCUMENTS_AT_ONCE)) {
      const rows = await this.#tables().current.query({
        filter: `${inDocuments(wanted)} and ${column.CHUNK_INDEX} = 0`,
        // One more than possible, because zvec prints a warning when it reaches the limit.
        topk: wanted.length + 1,
        outputFields: [column.DOCUMENT, column.FINGERPRINT, column.CHUNK_COUNT, column.JOB_ID, ...ORDER],
      });
      for (const row of rows) {
        const { fields } = row;
        const document: StoredDocument = {
          state: 'stored',
          fingerprint: fields[column.FINGERPRINT] as string,
          chunkCount: fields[column.CHUNK_COUNT] as number,
          jobId: fields[column.JOB_ID] as JobId,
          sequence: Number(fields[column.SEQUENCE] ?? 0),
          decided: decidedIn(row),
        };
        heads.set(fields[column.DOCUMENT] as string, { document, head: row.id as PointId });
      }
    }
    return heads;
  }

  /** The stored rows of documents, and the sequences that decided them. */
  async #rowsOf(documents: readonly Digested<DocumentKey>[]): Promise<There> {
    const digests = documents.map(digestIn);
    const { current } = this.#tables();
    const rows = await this.#rowsIn(current, digests, this.#terms.columns);
    const decided = await this.#tombstones.find(digests);
    const decide = (digest: string, sequence: number): void => {
      if (sequence > (decided.get(digest) ?? 0)) decided.set(digest, sequence);
    };
    if (rows === undefined) {
      for (const [digest, head] of await this.#heads(digests)) decide(digest, head.document.decided);
    } else {
      for (const row of rows) decide(row.fields[column.DOCUMENT] as string, decidedIn(row));
    }
    return { rows, decided };
  }

  /** The rows of documents; undefined if there are too many to list. */
  async #rowsIn(
    table: ZvecTable,
    digests: readonly string[],
    more: readonly string[] = [],
  ): Promise<ZVecDoc[] | undefined> {
    if (digests.length === 0) return [];
    const outputFields = [column.DOCUMENT, ...ORDER, ...more];
    const rows = await table.query({ filter: inDocuments(digests), topk: MOST_ROWS, outputFields });
    return rows.length === MOST_ROWS ? undefined : rows;
  }

  /** Called before the rows of these documents are removed. */
  #countOut({ rows }: There, documents: readonly Digested<DocumentKey>[]): void {
    if (rows === undefined) return this.#terms.forget();
    if (rows.length === 0) return;
    const going = new Set(documents.map(digestIn));
    this.#terms.remove(rows.filter(({ fields }) => going.has(fields[column.DOCUMENT] as string)));
  }

  /** @param terms the counter of the table's terms */
  async #replaceIn(
    table: ZvecTable,
    documents: readonly Digested<DocumentPoints>[],
    known: ReadonlySet<string> | undefined,
    vectorOf: (point: Point) => Float32Array | undefined,
    terms?: CollectionTerms,
  ): Promise<void> {
    const replaced = documents.filter(({ digest }) => known?.has(digest) ?? true);
    // In most jobs, most documents are new.
    if (replaced.length > 0)
      for (const filter of staleChunks(replaced.map(({ document }) => document))) await table.delete(filter);
    const lacking: PointId[] = [];
    const rest: Row[] = [];
    const first: Row[] = [];
    for (const { document, digest } of documents) {
      for (const point of document.points) {
        const dense = vectorOf(point);
        if (dense === undefined) lacking.push(point.id);
        else (isRest(point) ? rest : first).push({ point, dense, digest });
      }
    }
    await table.deleteIds(lacking);
    for (const rows of [rest, first]) {
      await table.upsert(rows, ({ point, dense, digest }) => this.#rowOf(point, dense, digest));
      terms?.add(rows.map(({ point }) => point));
    }
    await table.sync();
  }
}

interface Found {
  document: FoundDocument;
  /** Its chunk 0. */
  head?: PointId;
}

/** A document with its digest, which each step of a write needs. */
interface Digested<D extends DocumentKey> {
  document: D;
  digest: string;
}

/** A point to be written to a table, with its vector for that table. */
interface Row {
  point: Point;
  dense: Float32Array;
  /** Its document's digest. */
  digest: string;
}

interface There {
  /** Undefined if there are too many to list. */
  rows: ZVecDoc[] | undefined;
  /** By the documents' digests. */
  decided: ReadonlyMap<string, number>;
}

const ORDER = [column.SEQUENCE, column.CONFIRMED];

const keyOf = ({ tenant, id }: DocumentKey): DocumentKey => ({ tenant, id });

function digestedOf<D extends DocumentKey>(document: D): Digested<D> {
  return { document, digest: column.documentDigest(document) };
}

const digestIn = ({ digest }: Digested<DocumentKey>): string => digest;

function isOvertaken({ decided }: There, { digest }: Digested<DocumentKey>, sequence: number): boolean {
  return (decided.get(digest) ?? 0) > sequence;
}

function decidedIn({ fields }: ZVecDoc): number {
  return decidedBy({
    sequence: Number(fields[column.SEQUENCE] ?? 0),
    confirmed: Number(fields[column.CONFIRMED] ?? 0),
  });
}

function documentsOf(rows: readonly ZVecDoc[]): Set<string> {
  return new Set(rows.map(({ fields }) => fields[column.DOCUMENT] as string));
}

const isEmpty = ({ points }: DocumentPoints): boolean => points.length === 0;
const isRest = ({ payload }: Point): boolean => payload.chunk_index > 0;
