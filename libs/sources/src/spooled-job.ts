import type { JobId, SourceRef } from '@embedmill/jobs';

/** The spool's data of a job for its dispatch; code that reads or writes one item depends only on that item. */
export interface SpooledJob {
  readSource(source: SourceRef, offset?: number, length?: number): AsyncIterable<Uint8Array>;
  /** The manifest's part for one section of the source, from a byte of that part on. */
  readManifest(job: JobId, section: number, cursor: number): AsyncIterable<Uint8Array>;
  writeManifest(job: JobId, section: number, lines: AsyncIterable<Uint8Array>): Promise<void>;
  /** The sorted hashes of its documents' keys (key-set.ts). */
  readKeys(job: JobId): AsyncIterable<Uint8Array>;
  writeKeys(job: JobId, body: AsyncIterable<Uint8Array>): Promise<void>;
}
