import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import {
  EmbedmillError,
  type Collection,
  type PointId,
  type TenantId,
  type TokenVectors,
} from '@embedmill/jobs';
import { maxSimilarities } from '@embedmill/retrieval';
import { groups, groupsOfBytes } from '../groups.ts';
import type { DocumentKey, DocumentPoints, StoredPoint } from '../store.ts';
import { TOKENS, syncFile } from './collection-folder.ts';
import { documentDigest } from './columns.ts';

/** The bytes written in one transaction, which blocks the event loop for a few hundredths of a second. */
const BYTES_AT_ONCE = 4 * 1024 * 1024;
/** The number of rows read and compared at once, which takes some milliseconds. */
const ROWS_AT_ONCE = 32;
/** SQLite's maximum, so that a chunk's vectors are usually on one page. */
const PAGE_BYTES = 65_536;
const MAPPED_BYTES = 2 ** 40;

/**
 * The data of points for reranking, their token vectors and a copy of the dense one, in an SQLite file next to zvec's
 * tables. zvec reads a long column of an unsealed row only together with those of all other rows, which takes seconds,
 * and a dense vector only together with all sparse ones.
 *
 * Rows are written before their points, and deleted after them, within the same write of ZvecCollection. A crash in
 * between leaves rows without a point, or for its next version, which the document's next write replaces. So each row
 * has the hash of its input, by which a point identifies its own rows.
 */
export class TokenTable {
  readonly #database: DatabaseSync;
  readonly #dims: number;
  readonly #insert: StatementSync;
  readonly #remove: StatementSync;
  readonly #find: StatementSync;
  readonly #findDense: StatementSync;

  /**
   * Opens the collection's table, and creates it if it is missing; undefined if the collection has no token vectors.
   * Errors: `store_unavailable`.
   */
  static async open(collection: Collection, folder: string): Promise<TokenTable | undefined> {
    if (collection.profile.lateInteraction === undefined) return undefined;
    const path = join(folder, TOKENS);
    try {
      const { DatabaseSync } = await import('node:sqlite');
      const isNew = !existsSync(path);
      const database = new DatabaseSync(path);
      database.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA mmap_size = ${MAPPED_BYTES};
        PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
        CREATE TABLE IF NOT EXISTS tokens (
          point TEXT PRIMARY KEY, document TEXT NOT NULL, tenant TEXT NOT NULL, hash TEXT,
          dense BLOB NOT NULL, vectors BLOB
        ) STRICT;
        CREATE INDEX IF NOT EXISTS documents ON tokens (document);`);
      if (isNew) await syncFile(folder);
      return new TokenTable(database, collection.dims);
    } catch (cause) {
      const message = `the token vectors of "${collection.name}" cannot be opened (${path}; Node 22.13 or later is required)`;
      throw new EmbedmillError('store_unavailable', message, { cause });
    }
  }

  private constructor(database: DatabaseSync, dims: number) {
    this.#database = database;
    this.#dims = dims;
    this.#insert = database.prepare('INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?, ?)');
    this.#remove = database.prepare('DELETE FROM tokens WHERE document = ?');
    this.#find = database.prepare('SELECT tenant, hash, vectors FROM tokens WHERE point = ?');
    this.#findDense = database.prepare('SELECT tenant, dense FROM tokens WHERE point = ?');
  }

  /** Afterwards these documents have exactly these points. */
  async replace(documents: readonly DocumentPoints[]): Promise<void> {
    const bytesOf = ({ points }: DocumentPoints): number =>
      points.reduce((sum, { dense, tokens }) => sum + dense.byteLength + (tokens?.length ?? 0), 0);
    for (const some of groupsOfBytes(documents, BYTES_AT_ONCE, bytesOf)) {
      this.#write(() => {
        for (const document of some) {
          const digest = documentDigest(document);
          this.#remove.run(digest);
          for (const { id, dense, tokens, payload } of document.points) {
            const hash = payload.hashes?.tokens ?? null;
            const rows = tokens === undefined || tokens.length === 0 ? null : bytesIn(tokens);
            this.#insert.run(id, digest, document.tenant, hash, bytesIn(dense), rows);
          }
        }
      });
      await setImmediate();
    }
  }

  delete(documents: readonly DocumentKey[]): void {
    this.#write(() => {
      for (const document of documents) this.#remove.run(documentDigest(document));
    });
  }

  /** Adds the token vectors that were computed from the points' current inputs. */
  async addTo(points: readonly StoredPoint[]): Promise<StoredPoint[]> {
    const whole: StoredPoint[] = [];
    for (const some of groups(points, ROWS_AT_ONCE)) {
      for (const point of some) {
        const row = this.#row(point.id);
        const isOwn = row !== undefined && row.hash === (point.payload.hashes?.tokens ?? null);
        whole.push(isOwn ? { ...point, tokens: row.vectors } : point);
      }
      await setImmediate();
    }
    return whole;
  }

  /** For those of these points with token vectors: for each of the query's token vectors, the greatest cosine. */
  async maxSimilarities(
    points: readonly PointId[],
    query: TokenVectors,
    tenant: TenantId | undefined,
  ): Promise<Map<PointId, Float32Array>> {
    const found = new Map<PointId, Float32Array>();
    for (const some of groups(points, ROWS_AT_ONCE)) {
      const rows = some.flatMap((id) => {
        const row = this.#row(id);
        return row === undefined || (tenant !== undefined && row.tenant !== tenant) ? [] : { id, ...row };
      });
      const vectors = rows.map((row) => row.vectors);
      for (const [n, similarities] of maxSimilarities(query, vectors, this.#dims).entries()) {
        const id = rows[n]?.id;
        if (id !== undefined) found.set(id, similarities);
      }
      await setImmediate();
    }
    return found;
  }

  /** The dense vectors of those of these points that exist. */
  async dense(points: readonly PointId[], tenant: TenantId | undefined): Promise<Map<PointId, Float32Array>> {
    const found = new Map<PointId, Float32Array>();
    for (const id of points) {
      const row = this.#findDense.get(id) as { tenant: string; dense: Uint8Array } | undefined;
      if (row === undefined || (tenant !== undefined && row.tenant !== tenant)) continue;
      found.set(id, new Float32Array(Uint8Array.from(row.dense).buffer));
    }
    return found;
  }

  close(): void {
    this.#database.close();
  }

  #row(id: PointId): { tenant: string; hash: string | null; vectors: TokenVectors } | undefined {
    const row = this.#find.get(id) as
      { tenant: string; hash: string | null; vectors: Uint8Array | null } | undefined;
    if (row === undefined || row.vectors === null) return undefined;
    const { buffer, byteOffset, byteLength } = row.vectors;
    return { ...row, vectors: new Int8Array(buffer, byteOffset, byteLength) };
  }

  /** Runs a transaction. Errors: `store_unavailable`, for example if the disk is full. */
  #write(action: () => void): void {
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      action();
      this.#database.exec('COMMIT');
    } catch (cause) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      const message = `token vectors cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`;
      throw new EmbedmillError('store_unavailable', message, { cause, retryAfter: 10 });
    }
  }
}

function bytesIn({ buffer, byteOffset, byteLength }: Float32Array | Int8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
