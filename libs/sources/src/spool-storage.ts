import type { SourceRef, StoredSource } from '@embedmill/jobs';

/**
 * Where a spool keeps its files, by keys such as `<job>/manifest.ndjson`: a folder or a bucket. A file is there when
 * it is complete, never before. All throw `spool_unavailable` when the place cannot be used now.
 */
export interface SpoolStorage {
  /** The folder, or the bucket's URL; for messages. */
  readonly place: string;
  /**
   * Writes a file, in place of an earlier one. What `body` throws is thrown on, and then nothing is left.
   * `expectedBytes`: its size, where it is known.
   */
  write(key: string, body: AsyncIterable<Uint8Array>, expectedBytes?: number): Promise<StoredSource>;
  /** A file's bytes from `offset` on. */
  read(key: string, offset?: number): AsyncIterable<Uint8Array>;
  /** The whole of a small file; undefined where there is none. */
  find(key: string): Promise<Buffer | undefined>;
  /** A file that is there, as a source. */
  sourceAt(key: string): Promise<StoredSource>;
  /** The keys directly below a folder such as `<job>/failures`, in their order. */
  list(folder: string): AsyncIterable<string>;
  /** The folders at the top, and when something in them was last written to, in epoch milliseconds. */
  folders(): Promise<{ folder: string; modified: number }[]>;
  /** Removes a file, where it is there. */
  remove(key: string): Promise<void>;
  /** Removes all below a folder. */
  removeFolder(folder: string): Promise<void>;
  /** Removes what writing left that ended with its process, more than `ageMs` ago. */
  removeAbandoned(ageMs: number): Promise<void>;
  /** The key of a source that lies here; undefined for one elsewhere. */
  keyOf(source: SourceRef): string | undefined;
}

/** The body of a file that is written whole. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
