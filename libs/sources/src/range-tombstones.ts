import type { JobId } from '@embedmill/jobs';
import { once, type SpoolStorage } from './spool-storage.ts';

/** A range tombstone, identified by its job and that job's sequence. */
export interface RangeTombstoneKey {
  sequence: number;
  job: JobId;
}

const FOLDER = 'range-tombstones-';

/**
 * The spool's records of deletions that did not name documents, against which older writes that arrive later are
 * checked. Each collection that has any gets a folder `range-tombstones-<collection>` with `<sequence>-<job>.json`, and
 * for a snapshot also `<sequence>-<job>.keys`, the keys of its documents. The names alone show whether one is later
 * than a job.
 *
 * Written only by the job's dispatcher, read by the dispatchers of older jobs, removed by retention.
 */
export class RangeTombstones {
  readonly #storage: SpoolStorage;

  constructor(storage: SpoolStorage) {
    this.#storage = storage;
  }

  /** Stores a range tombstone's content, replacing an earlier one. Errors: `spool_unavailable`, as for all methods. */
  async keep(collection: string, key: RangeTombstoneKey, value: object): Promise<void> {
    await this.#storage.write(`${pathOf(collection, key)}.json`, once(Buffer.from(JSON.stringify(value))));
  }

  async keepKeys(collection: string, key: RangeTombstoneKey, body: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#storage.write(`${pathOf(collection, key)}.keys`, body);
  }

  /** The JSON stored by `keep`; undefined if it no longer exists. */
  async read(collection: string, key: RangeTombstoneKey): Promise<unknown> {
    const bytes = await this.#storage.find(`${pathOf(collection, key)}.json`);
    return bytes === undefined ? undefined : JSON.parse(bytes.toString('utf8'));
  }

  readKeys(collection: string, key: RangeTombstoneKey): AsyncIterable<Uint8Array> {
    return this.#storage.read(`${pathOf(collection, key)}.keys`);
  }

  /** A collection's range tombstones, in order of their sequences. */
  async list(collection: string): Promise<RangeTombstoneKey[]> {
    const keys: RangeTombstoneKey[] = [];
    for await (const path of this.#storage.list(FOLDER + collection)) {
      const [, sequence, job] = /\/(\d+)-(\w+)\.json$/.exec(path) ?? [];
      if (sequence !== undefined) keys.push({ sequence: Number(sequence), job: job as JobId });
    }
    return keys;
  }

  /** Removes one, if it exists. */
  async remove(collection: string, key: RangeTombstoneKey): Promise<void> {
    for (const kind of ['json', 'keys']) await this.#storage.remove(`${pathOf(collection, key)}.${kind}`);
  }

  /** The collections with range tombstones. */
  async collections(): Promise<string[]> {
    const folders = await this.#storage.folders();
    return folders.flatMap(({ folder }) => (folder.startsWith(FOLDER) ? folder.slice(FOLDER.length) : []));
  }

  async removeAll(collection: string): Promise<void> {
    await this.#storage.removeFolder(FOLDER + collection);
  }
}

/** Padded, so that names sort like sequences, which are below 2^53. */
function pathOf(collection: string, { sequence, job }: RangeTombstoneKey): string {
  return `${FOLDER}${collection}/${String(sequence).padStart(16, '0')}-${job}`;
}
