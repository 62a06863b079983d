import type { SourceRef, StoredSource } from '@embedmill/jobs';

/**
 * The storage of a spool's files, by keys such as `<job>/manifest.ndjson`: a folder or a bucket. A file appears only
 * once it is complete. All methods throw `spool_unavailable` if the storage is unavailable.
 */
export interface SpoolStorage {
  /** The folder, or the bucket's URL, for messages. */
  readonly place: string;
  /**
   * Writes a file, replacing an earlier one. Rethrows what `body` throws, and then leaves nothing behind.
   * `expectedBytes`: its size, if known.
   */
  write(key: string, body: AsyncIterable<Uint8Array>, expectedBytes?: number): Promise<StoredSource>;
  /** A file's bytes from `offset` on. */
  read(key: string, offset?: number): AsyncIterable<Uint8Array>;
  /** The content of a small file; undefined if it does not exist. */
  find(key: string): Promise<Buffer | undefined>;
  /** An existing file, as a source. */
  sourceAt(key: string): Promise<StoredSource>;
  /** The keys directly below a folder such as `<job>/failures`, in order. */
  list(folder: string): AsyncIterable<string>;
  /** The top-level folders, with the time of the last write in them, in epoch milliseconds. */
  folders(): Promise<{ folder: string; modified: number }[]>;
  /** Removes a file, if it exists. */
  remove(key: string): Promise<void>;
  /** Removes everything below a folder. */
  removeFolder(folder: string): Promise<void>;
  /** Removes the remains of writes whose process died more than `ageMs` ago. */
  removeAbandoned(ageMs: number): Promise<void>;
  /** The key of a source in this storage; undefined for one elsewhere. */
  keyOf(source: SourceRef): string | undefined;
}

/** The body of a file that is written at once. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
