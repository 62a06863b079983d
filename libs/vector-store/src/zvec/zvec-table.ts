import { statfs } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { asEmbedmillError, EmbedmillError } from '@embedmill/jobs';
import type {
  ZVecCollection,
  ZVecCollectionSchema,
  ZVecDoc,
  ZVecDocInput,
  ZVecFieldSchema,
  ZVecQuery,
} from '@zvec/zvec';
import { countSegments, syncFiles, syncLogs } from './collection-folder.ts';
import { assertOk, fromZvec, inTurn, type Zvec } from './native.ts';
import { Running } from './running.ts';

/** The rows per blocking call, which blocks the event loop for a few milliseconds. */
const ROWS_AT_ONCE = 64;
/** And the bytes of their texts; a single row may have more. */
const BYTES_AT_ONCE = 4 * 1024 * 1024;
/** The same when iterating over rows without vectors. */
const STEPS_AT_ONCE = 2000;
/**
 * The rows after which the open segment is sealed, which blocks the event loop for about 0.1 s. zvec reads sealed
 * segments faster (of 50,000 points, a search took 40 ms unsealed and 7 ms sealed), and has less to replay after a
 * crash.
 */
const SEAL_EVERY = 10_000;
/**
 * When nothing has been written for a moment: the minimum rows, and share of all rows, worth sealing. Fewer rows can be
 * read quickly unsealed, and would make segments that must be merged.
 */
const WORTH_SEALING = 256;
const PART_WORTH_SEALING = 50;
/** The number of sealed segments after which they are merged into one. */
const MERGE_AT = 12;
/** The maximum number of rows that zvec returns. */
export const MOST_ROWS = 100_000;

/**
 * The rows of one dense vector of a collection, in their own folder. zvec can neither add a vector to existing rows nor
 * drop one, so a collection's second vector has a separate table with complete rows: the tables are independent.
 *
 * It has the only reference to the native collection. ZvecCollection writes to it sequentially, and reads concurrently.
 * Segments are merged in the background without blocking either. `close` waits for running work; later calls fail with
 * a retryable error.
 */
export class ZvecTable {
  readonly folder: string;
  /** Increases with each change of rows. */
  changes = 0;
  readonly #native: ZVecCollection;
  readonly #where: string;
  readonly #running = new Running();
  readonly #passes = new Running();
  #unsealed = 0;
  /**
   * A write has failed, for example on a full disk, or may have. zvec replays its log only up to the first incomplete
   * entry, but appends after it: later writes are safe only in a sealed segment.
   */
  #torn: boolean;
  #merging: Promise<unknown> | undefined;
  #closed = false;

  /** @throws EmbedmillError `store_unavailable` when zvec cannot open it: another process has it, or it is damaged. */
  static open(zvec: Zvec, name: string, folder: string): ZvecTable {
    try {
      // It is unknown how much a previous process left unsealed, and whether it was interrupted in a write.
      return new ZvecTable(name, folder, zvec.ZVecOpen(folder), true);
    } catch (thrown) {
      throw fromZvec(thrown, `zvec cannot open ${folder} (does another process use it?)`);
    }
  }

  static create(zvec: Zvec, name: string, schema: ZVecCollectionSchema, folder: string): ZvecTable {
    try {
      const native = zvec.ZVecCreateAndOpen(folder, schema);
      return new ZvecTable(name, folder, native, false);
    } catch (thrown) {
      throw fromZvec(thrown, `zvec cannot create ${folder}`);
    }
  }

  private constructor(name: string, folder: string, native: ZVecCollection, torn: boolean) {
    this.folder = folder;
    this.#native = native;
    this.#where = `zvec, collection "${name}"`;
    this.#torn = torn;
  }

  count(): number {
    return this.#native.stats.docCount;
  }

  query(query: ZVecQuery): Promise<ZVecDoc[]> {
    return this.#run(() => this.#native.query(query));
  }

  /**
   * The rows with these ids, by id; none for missing ones.
   *
   * @param outputFields the columns to read; undefined: all
   * @param vectors whether to read the vectors, too, which takes five times as long
   */
  async fetch(
    ids: readonly string[],
    outputFields: string[] | undefined,
    vectors: boolean,
  ): Promise<Map<string, ZVecDoc>> {
    const columns = outputFields === undefined ? {} : { outputFields };
    const found = new Map<string, ZVecDoc>();
    for (let from = 0; from < ids.length; from += ROWS_AT_ONCE) {
      const wanted = { ids: ids.slice(from, from + ROWS_AT_ONCE), ...columns, includeVector: vectors };
      const rows = await this.#run(() => this.#native.fetchSync(wanted));
      for (const [id, row] of Object.entries(rows)) found.set(id, row);
      await setImmediate();
    }
    return found;
  }

  /** Iterates over all rows, in no order; rows written meanwhile may or may not be included. */
  forEach(outputFields: string[], visit: (row: ZVecDoc) => void): Promise<void> {
    return this.#running.track(this.#passes.track(this.#goThrough(outputFields, visit)));
  }

  async upsert<T>(items: T[], rowOf: (item: T) => ZVecDocInput): Promise<void> {
    for (let from = 0; from < items.length;) {
      const rows: ZVecDocInput[] = [];
      let bytes = 0;
      for (const item of items.slice(from, from + ROWS_AT_ONCE)) {
        const row = rowOf(item);
        bytes += bytesOf(row);
        rows.push(row);
        if (bytes >= BYTES_AT_ONCE) break;
      }
      from += rows.length;
      await this.#attempt(() => this.#native.upsertSync(rows));
      await setImmediate();
    }
    this.#unsealed += items.length;
  }

  /** Changes these columns of existing rows, and nothing else. */
  async update(rows: readonly Pick<ZVecDocInput, 'id' | 'fields'>[]): Promise<void> {
    for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
      const some = rows.slice(from, from + ROWS_AT_ONCE);
      await this.#attempt(() => this.#native.updateSync(some));
      await setImmediate();
    }
    this.#unsealed += rows.length;
  }

  /** Adds those of these columns that the table lacks, between iterations over its rows. */
  async addColumns(fields: readonly ZVecFieldSchema[]): Promise<void> {
    await this.#merging;
    const there = new Set(this.#native.schema.fields().map(({ name }) => name));
    for (const fieldSchema of fields) {
      if (there.has(fieldSchema.name)) continue;
      // zvec refuses this during an iteration.
      await this.#passes.ended();
      await this.#run(() => this.#native.addColumnSync({ fieldSchema }));
    }
    if (!fields.every(({ name }) => there.has(name))) await syncFiles(this.folder);
  }

  async delete(filter: string): Promise<void> {
    await this.#attempt(() => this.#native.deleteByFilter(filter));
  }

  async deleteIds(ids: string[]): Promise<void> {
    for (let from = 0; from < ids.length; from += ROWS_AT_ONCE) {
      const some = ids.slice(from, from + ROWS_AT_ONCE);
      await this.#attempt(() =>
        this.#native.deleteSync(some).filter(({ code }) => code !== 'ZVEC_NOT_FOUND'),
      );
    }
  }

  /** Afterwards, everything written is on the disk. */
  async sync(): Promise<void> {
    await syncLogs(this.folder);
    if (this.#torn) await this.#merging;
    else if (this.#unsealed < SEAL_EVERY || this.#merging !== undefined) return;
    await this.#seal();
  }

  /** Prepares reads: seals the written rows, if worthwhile. */
  async settle(): Promise<void> {
    if (this.#unsealed < Math.max(WORTH_SEALING, this.count() / PART_WORTH_SEALING)) return;
    if (this.#merging === undefined) await this.#seal();
  }

  async #seal(): Promise<void> {
    // Opening an iterator seals the open segment; zvec has no separate call for it.
    await this.#run(() => this.#native.iterDocsSync({ outputFields: [], includeVector: false }).closeSync());
    await syncFiles(this.folder);
    this.#unsealed = 0;
    this.#torn = false;
    if ((await countSegments(this.folder)) >= MERGE_AT) this.#merge();
  }

  /** Waits for what runs, then lets go of the files. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running.ended();
    await this.#merging;
    await inTurn(() => this.#native.closeSync());
  }

  async #goThrough(outputFields: string[], visit: (row: ZVecDoc) => void): Promise<void> {
    // Opening the iterator could block until a merge is done; merges begin only in writes.
    await this.#merging;
    const rows = await this.#run(() => this.#native.iterDocsSync({ outputFields, includeVector: false }));
    try {
      for (let done = false; !done; await setImmediate()) {
        done = await this.#run(() => {
          for (let step = 0; step < STEPS_AT_ONCE; step += 1) {
            const next = rows.next();
            if (next.done === true) return true;
            visit(next.value);
          }
          return false;
        });
      }
    } finally {
      rows.closeSync();
    }
  }

  #merge(): void {
    this.#merging = this.#native
      .optimize()
      .then(() => syncFiles(this.folder))
      // Left for the next time: the data is complete either way, only in more segments.
      .catch(() => undefined)
      .finally(() => (this.#merging = undefined));
  }

  /** Runs a call that returns statuses. */
  async #attempt(action: () => Parameters<typeof assertOk>[0] | Promise<Parameters<typeof assertOk>[0]>) {
    this.changes += 1;
    try {
      assertOk(await this.#run(action), this.#where);
    } catch (thrown) {
      // A row refused as invalid did not reach the log.
      if (asEmbedmillError(thrown).code !== 'store_rejected') this.#torn = true;
      throw (await isFull(this.folder)) ? this.#full(thrown) : thrown;
    }
  }

  #full(cause: unknown): EmbedmillError {
    const message = `${this.#where}: the disk of ${this.folder} is full; free space`;
    return new EmbedmillError('store_unavailable', message, { cause, retryAfter: 10 });
  }

  async #run<T>(action: () => T | Promise<T>): Promise<T> {
    if (this.#closed) throw new EmbedmillError('store_unavailable', `${this.#where}: is being closed`);
    try {
      return await this.#running.track(inTurn(action));
    } catch (thrown) {
      throw fromZvec(thrown, this.#where);
    }
  }
}

function bytesOf({ fields = {} }: ZVecDocInput): number {
  let bytes = 0;
  for (const name in fields) {
    const value = fields[name];
    if (typeof value === 'string') bytes += value.length;
  }
  return bytes;
}

/** Whether the disk has no room even for a small write; zvec itself only reports a failure. */
async function isFull(folder: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize < 1 << 20;
}
