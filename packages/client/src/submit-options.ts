import type { JobOptions, ServerSource } from './schemas.ts';
import type { UploadOptions } from './uploads.ts';

export interface SubmitOptions extends UploadOptions, JobOptions {
  /** How the documents are to be read, where they are none of NDJSON with embedmill's own names. */
  reading?: Omit<ServerSource, 'path' | 'url' | 's3' | 'files' | 'file'> | undefined;
  /** The media type of bytes, where they do not say it themselves; NDJSON by default. */
  type?: string | undefined;
  /** Whether the bytes are packed with gzip. */
  gzip?: boolean | undefined;
  /** The same key with the same documents gives the same job; one is made by default. */
  idempotencyKey?: string | undefined;
}
