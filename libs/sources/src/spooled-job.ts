import type { JobId, SourceRef } from '@embedmill/jobs';

/** What the spool has of a job for its dispatch; who reads or writes one of it asks for that alone. */
export interface SpooledJob {
  readSource(source: SourceRef, offset?: number, length?: number): AsyncIterable<Uint8Array>;
  readManifest(job: JobId, cursor: number): AsyncIterable<Uint8Array>;
  writeManifest(job: JobId, lines: AsyncIterable<Uint8Array>): Promise<void>;
  /** The sorted hashes of its documents' keys (key-set.ts). */
  readKeys(job: JobId): AsyncIterable<Uint8Array>;
  writeKeys(job: JobId, body: AsyncIterable<Uint8Array>): Promise<void>;
}
