import { setImmediate } from 'node:timers/promises';
import type { Collection, JobId } from '@embedmill/jobs';
import type { ZVecCollection } from '@zvec/zvec';
import { conditionOf, satisfies } from '../condition.ts';
import { checkVector, replacementOf, type Replacement } from '../replacement.ts';
import type {
  DocumentKey,
  DocumentPoints,
  Point,
  PointPayload,
  ScoredPoint,
  StoredDocument,
  VectorSearch,
} from '../store.ts';
import { countSegments, dataFolder, syncData, syncLogs } from './collection-folder.ts';
import * as column from './columns.ts';
import { filterExpression } from './filter-expression.ts';
import { assertOk, fromZvec, inTurn, type Zvec } from './native.ts';

/** Points a blocking call: a few milliseconds, in which the event loop stands still. */
const UPSERT_BATCH = 64;
/** Documents a look-up. */
const DOCUMENTS_AT_ONCE = 500;
/**
 * Points after which the open segment is sealed, in which the event loop stands still for some 0.1 s. zvec reads sealed
 * segments faster (of 50,000 points, a search took 40 ms unsealed and 7 ms sealed), and has less to replay after a crash.
 */
const SEAL_EVERY = 10_000;
/** Sealed segments after which they are merged to one. */
const MERGE_AT = 12;
/** zvec returns no more rows. */
const MOST_ROWS = 100_000;

/**
 * One open collection; ZvecStore makes it and closes it.
 *
 * It keeps the only reference to the native collection. Writes run one after another, reads beside them.
 * Merging segments runs in the background and hinders neither. `close` waits for everything that runs; nothing may be
 * called afterwards.
 */
export class ZvecCollection {
  readonly definition: Collection;
  readonly folder: string;
  readonly #native: ZVecCollection;
  readonly #rowOf: ReturnType<typeof column.rowOf>;
  readonly #columnsOf: column.ColumnsOf;
  readonly #running = new Set<Promise<unknown>>();
  #lastWrite: Promise<unknown> = Promise.resolve();
  #unsealed: number;
  #merging = false;

  /** @throws EmbedmillError `store_unavailable` when zvec cannot open it: another process has it, or it is damaged. */
  static open(zvec: Zvec, definition: Collection, folder: string): ZvecCollection {
    const data = dataFolder(folder);
    try {
      // How much a former process left unsealed is not known: the first write seals.
      return new ZvecCollection(definition, folder, zvec.ZVecOpen(data), SEAL_EVERY);
    } catch (thrown) {
      throw fromZvec(thrown, `zvec cannot open ${data} (does another process use it?)`);
    }
  }

  static create(zvec: Zvec, definition: Collection, folder: string): ZvecCollection {
    const data = dataFolder(folder);
    try {
      const native = zvec.ZVecCreateAndOpen(data, column.schemaOf(zvec, definition));
      return new ZvecCollection(definition, folder, native, 0);
    } catch (thrown) {
      throw fromZvec(thrown, `zvec cannot create ${data}`);
    }
  }

  private constructor(definition: Collection, folder: string, native: ZVecCollection, unsealed: number) {
    this.definition = definition;
    this.folder = folder;
    this.#native = native;
    this.#unsealed = unsealed;
    this.#rowOf = column.rowOf(definition);
    this.#columnsOf = column.columnsOf(definition);
  }

  count(): number {
    return this.#native.stats.docCount;
  }

  async find(documents: DocumentKey[]): Promise<(StoredDocument | undefined)[]> {
    const digests = documents.map(column.documentDigest);
    const found = new Map<string, StoredDocument>();
    for (let from = 0; from < digests.length; from += DOCUMENTS_AT_ONCE) {
      const wanted = digests.slice(from, from + DOCUMENTS_AT_ONCE);
      const rows = await this.#read(() =>
        this.#native.query({
          filter: `${inDocuments(wanted)} and ${column.CHUNK_INDEX} = 0`,
          // One more than there can be: zvec complains on the console when it stops at the last one.
          topk: wanted.length + 1,
          outputFields: [column.DOCUMENT, column.FINGERPRINT, column.CHUNK_COUNT, column.JOB_ID],
        }),
      );
      for (const { fields } of rows) {
        found.set(fields[column.DOCUMENT] as string, {
          fingerprint: fields[column.FINGERPRINT] as string,
          chunkCount: fields[column.CHUNK_COUNT] as number,
          jobId: fields[column.JOB_ID] as JobId,
        });
      }
    }
    return digests.map((key) => found.get(key));
  }

  async replace(documents: DocumentPoints[]): Promise<void> {
    const replacement = replacementOf(this.definition, documents);
    if (replacement.documents.length === 0) return;
    await this.#write(async () => {
      for (let from = 0; from < replacement.documents.length; from += DOCUMENTS_AT_ONCE) {
        await this.#deleteStale(replacement.documents.slice(from, from + DOCUMENTS_AT_ONCE));
      }
      await this.#upsert(replacement);
      await syncLogs(this.folder);
      await this.#tidy(replacement);
    });
  }

  async deleteDocuments(documents: DocumentKey[]): Promise<void> {
    if (documents.length === 0) return;
    const digests = documents.map(column.documentDigest);
    await this.#write(async () => {
      for (let from = 0; from < digests.length; from += DOCUMENTS_AT_ONCE) {
        await this.#delete(inDocuments(digests.slice(from, from + DOCUMENTS_AT_ONCE)));
      }
      await syncLogs(this.folder);
    });
  }

  async search({ dense, limit, offset, filter, tenant }: VectorSearch): Promise<ScoredPoint[]> {
    checkVector(this.definition, dense, 'the query');
    const condition = filter && conditionOf(filter, this.definition.profile.filterable);
    const expression = condition && filterExpression(condition, this.#columnsOf);
    const parts = [
      ...(tenant === undefined ? [] : [`${column.TENANT} = '${column.digest(tenant)}'`]),
      ...(expression === undefined ? [] : [expression.text]),
    ];
    const wanted = offset + limit;
    for (let rows = Math.min(wanted, MOST_ROWS); ; rows = Math.min(rows * 4, MOST_ROWS)) {
      const points = await this.#nearest(dense, rows, parts.join(' and '));
      const hits =
        condition === undefined || expression?.exact
          ? points
          : points.filter((point) => satisfies(condition, point.payload));
      if (hits.length >= wanted || points.length < rows || rows === MOST_ROWS)
        return hits.slice(offset, wanted);
    }
  }

  /** Waits for what runs, then lets go of the files. */
  async close(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
    await inTurn(() => this.#native.closeSync());
  }

  async #nearest(dense: Float32Array, rows: number, filter: string): Promise<ScoredPoint[]> {
    const found = await this.#read(() =>
      this.#native.query({
        fieldName: column.VECTOR,
        vector: dense,
        topk: rows,
        outputFields: [column.PAYLOAD],
        ...(filter === '' ? {} : { filter }),
      }),
    );
    return found.map(({ id, score, fields }) => ({
      id: id as ScoredPoint['id'],
      // zvec's score is the cosine distance.
      score: 1 - score,
      payload: JSON.parse(fields[column.PAYLOAD] as string) as PointPayload,
    }));
  }

  async #deleteStale(documents: DocumentPoints[]): Promise<void> {
    const digests = documents.map(column.documentDigest);
    const rows = await inTurn(() =>
      this.#native.query({
        filter: inDocuments(digests),
        topk: MOST_ROWS,
        outputFields: [column.DOCUMENT],
      }),
    );
    const existing = new Set(rows.map(({ fields }) => fields[column.DOCUMENT] as string));
    const replaced = documents.filter((_, n) => rows.length === MOST_ROWS || existing.has(digests[n] ?? ''));
    // Most documents of most jobs are new.
    if (replaced.length === 0) return;
    for (const filter of staleChunks(replaced)) await this.#delete(filter);
  }

  async #delete(filter: string): Promise<void> {
    assertOk(await inTurn(() => this.#native.deleteByFilter(filter)), this.#where());
  }

  async #upsert({ rest, first }: Replacement): Promise<void> {
    for (const points of [rest, first]) {
      for (let from = 0; from < points.length; from += UPSERT_BATCH) {
        const rows = points.slice(from, from + UPSERT_BATCH).map((point: Point) => this.#rowOf(point));
        assertOk(await inTurn(() => this.#native.upsertSync(rows)), this.#where());
        await setImmediate();
      }
    }
  }

  async #tidy({ rest, first }: Replacement): Promise<void> {
    this.#unsealed += rest.length + first.length;
    if (this.#unsealed < SEAL_EVERY || this.#merging) return;
    this.#unsealed = 0;
    // Opening an iterator seals the open segment; zvec has no call of its own for that.
    await inTurn(() => this.#native.iterDocsSync({ outputFields: [], includeVector: false }).closeSync());
    await syncData(this.folder);
    if ((await countSegments(this.folder)) >= MERGE_AT) this.#merge();
  }

  #merge(): void {
    this.#merging = true;
    const merging = this.#native
      .optimize()
      .then(() => syncData(this.folder))
      // Left for the next time: the data is whole either way, only in more segments.
      .catch(() => undefined)
      .finally(() => (this.#merging = false));
    void this.#track(merging);
  }

  #read<T>(action: () => Promise<T>): Promise<T> {
    return this.#track(this.#attempt(() => inTurn(action)));
  }

  #write(action: () => Promise<void>): Promise<void> {
    const write = this.#lastWrite.then(() => this.#attempt(action));
    this.#lastWrite = write.catch(() => undefined);
    return this.#track(write);
  }

  async #attempt<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (thrown) {
      throw fromZvec(thrown, this.#where());
    }
  }

  #track<T>(promise: Promise<T>): Promise<T> {
    const settled = promise.then(
      () => undefined,
      () => undefined,
    );
    this.#running.add(settled);
    void settled.then(() => this.#running.delete(settled));
    return promise;
  }

  #where(): string {
    return `zvec, collection "${this.definition.name}"`;
  }
}

/** What has to go before these documents can be written (see Replacement), as filters. */
function staleChunks(documents: DocumentPoints[]): string[] {
  const several = documents.filter((document) => document.points.length > 1);
  const byCount = Map.groupBy(documents, (document) => document.points.length);
  const of = (some: DocumentPoints[]) => inDocuments(some.map(column.documentDigest));
  const index = column.CHUNK_INDEX;
  return [
    `${of(documents)} and ${index} = 0 and ${column.CHUNK_COUNT} > 1`,
    ...(several.length === 0 ? [] : [`${of(several)} and ${index} = 0`]),
    ...[...byCount].map(([count, group]) => `${of(group)} and ${index} >= ${count}`),
  ];
}

function inDocuments(digests: string[]): string {
  return `${column.DOCUMENT} in (${digests.map((key) => `'${key}'`).join(',')})`;
}
