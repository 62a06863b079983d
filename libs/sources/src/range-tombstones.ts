import type { JobId } from '@embedmill/jobs';
import { once, type SpoolStorage } from './spool-storage.ts';

/** A range tombstone, by its job and the place of that in the order of acceptance. */
export interface RangeTombstoneKey {
  sequence: number;
  job: JobId;
}

const FOLDER = 'range-tombstones-';

/**
 * What the spool keeps of deletions that named no documents, so that what is older, and comes later, can be held against
 * them: a folder `range-tombstones-<collection>` for each collection that has any, with `<sequence>-<job>.json` in it, and of a
 * snapshot `<sequence>-<job>.keys` beside it, the keys of its documents. Names alone tell whether one is later than a job.
 *
 * Written by the job's dispatcher alone, read by the dispatchers of older jobs, removed by retention.
 */
export class RangeTombstones {
  readonly #storage: SpoolStorage;

  constructor(storage: SpoolStorage) {
    this.#storage = storage;
  }

  /** Keeps what a range tombstone says, in place of what it said before. Errors: `spool_unavailable`, as of all. */
  async keep(collection: string, key: RangeTombstoneKey, value: object): Promise<void> {
    await this.#storage.write(`${pathOf(collection, key)}.json`, once(Buffer.from(JSON.stringify(value))));
  }

  async keepKeys(collection: string, key: RangeTombstoneKey, body: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#storage.write(`${pathOf(collection, key)}.keys`, body);
  }

  /** What `keep` kept, as JSON has it; undefined where there is none any more. */
  async read(collection: string, key: RangeTombstoneKey): Promise<unknown> {
    const bytes = await this.#storage.find(`${pathOf(collection, key)}.json`);
    return bytes === undefined ? undefined : JSON.parse(bytes.toString('utf8'));
  }

  readKeys(collection: string, key: RangeTombstoneKey): AsyncIterable<Uint8Array> {
    return this.#storage.read(`${pathOf(collection, key)}.keys`);
  }

  /** A collection's range tombstones, by their sequences. */
  async list(collection: string): Promise<RangeTombstoneKey[]> {
    const keys: RangeTombstoneKey[] = [];
    for await (const path of this.#storage.list(FOLDER + collection)) {
      const [, sequence, job] = /\/(\d+)-(\w+)\.json$/.exec(path) ?? [];
      if (sequence !== undefined) keys.push({ sequence: Number(sequence), job: job as JobId });
    }
    return keys;
  }

  /** Removes one, where it is there. */
  async remove(collection: string, key: RangeTombstoneKey): Promise<void> {
    for (const kind of ['json', 'keys']) await this.#storage.remove(`${pathOf(collection, key)}.${kind}`);
  }

  /** The collections that have any. */
  async collections(): Promise<string[]> {
    const folders = await this.#storage.folders();
    return folders.flatMap(({ folder }) => (folder.startsWith(FOLDER) ? folder.slice(FOLDER.length) : []));
  }

  async removeAll(collection: string): Promise<void> {
    await this.#storage.removeFolder(FOLDER + collection);
  }
}

/** The order of names is that of sequences, which are below 2^53. */
function pathOf(collection: string, { sequence, job }: RangeTombstoneKey): string {
  return `${FOLDER}${collection}/${String(sequence).padStart(16, '0')}-${job}`;
}
