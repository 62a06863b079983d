import type { StoredSource } from '@embedmill/jobs';
import { once, type SpoolStorage } from './spool-storage.ts';

/** `batch-faults` are the faults in the lines of a batch's file; `uploads` are files uploaded in parts. */
export type RecordKind = 'files' | 'batches' | 'batch-faults' | 'datasets' | 'uploads';

/**
 * The spool's files for clients, next to jobs: JSON records by id, `<kind>/<id>.json`; for files and datasets also
 * their bytes, `<id>/content`; for uploads those of each part, `<id>/parts/<part>`. No job has such an id, because job
 * ids start with `job_`. A record is written before anybody is told about it, and removed before its bytes.
 */
export class StoredRecords {
  readonly #storage: SpoolStorage;
  readonly #kind: RecordKind;

  constructor(storage: SpoolStorage, kind: RecordKind) {
    this.#storage = storage;
    this.#kind = kind;
  }

  /** Stores a record, replacing an earlier one. Errors: `spool_unavailable`, as for all methods. */
  async keep(id: string, record: object): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(record));
    await this.#storage.write(this.#keyOf(id), once(bytes), bytes.length);
  }

  /** The JSON stored by `keep`; undefined if there is none. */
  async read(id: string): Promise<unknown> {
    if (!isId(id)) return undefined;
    const bytes = await this.#storage.find(this.#keyOf(id));
    return bytes === undefined ? undefined : JSON.parse(bytes.toString('utf8'));
  }

  /** All records, as JSON. */
  async all(): Promise<unknown[]> {
    const records: unknown[] = [];
    for await (const key of this.#storage.list(this.#kind)) {
      const record = await this.read(key.slice(this.#kind.length + 1, -'.json'.length));
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  /** Removes a record and its bytes. */
  async remove(id: string): Promise<void> {
    if (!isId(id)) return;
    await this.#storage.remove(this.#keyOf(id));
    if (this.#kind === 'files' || this.#kind === 'datasets') await this.#storage.removeFolder(id);
    if (this.#kind === 'uploads') await this.#storage.removeFolder(`${id}/parts`);
  }

  /** Writes a file's bytes, before its record. */
  write(id: string, body: AsyncIterable<Uint8Array>): Promise<StoredSource> {
    return this.#storage.write(`${id}/content`, body);
  }

  /** Writes a part of an upload; a failed one leaves nothing behind. */
  writePart(id: string, part: string, body: AsyncIterable<Uint8Array>): Promise<StoredSource> {
    return this.#storage.write(`${id}/parts/${part}`, body);
  }

  /** The ids of an upload's complete parts. */
  async parts(id: string): Promise<Map<string, StoredSource>> {
    const parts = new Map<string, StoredSource>();
    if (!isId(id)) return parts;
    for await (const key of this.#storage.list(`${id}/parts`))
      parts.set(key.slice(key.lastIndexOf('/') + 1), await this.#storage.sourceAt(key));
    return parts;
  }

  #keyOf(id: string): string {
    return `${this.#kind}/${id}.json`;
  }
}

/** Accepts only ids in our own format, so that no other path can be reached. */
function isId(id: string): boolean {
  return /^(file|batch|dataset|upload)[-_][A-Za-z0-9_-]{1,100}$/.test(id);
}
