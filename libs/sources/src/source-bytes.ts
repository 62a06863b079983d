import { EmbedmillError, type SourceRef } from '@embedmill/jobs';
import { readFile } from './file-source.ts';
import { sourceError } from './s3-error.ts';
import { parseS3Url, type S3Objects } from './s3-objects.ts';

/**
 * The bytes `offset` to `offset + length` of a source. Throws `source_changed` if a file or an object has changed since
 * the job was submitted, `source_unreadable` if it cannot be read, and `source_unavailable` if its store does not
 * respond.
 */
export async function* readSource(
  s3: S3Objects,
  source: SourceRef,
  offset = 0,
  length?: number,
): AsyncGenerator<Uint8Array> {
  switch (source.kind) {
    case 'inline': {
      const bytes = Buffer.from(source.lines.map((line) => `${line}\n`).join(''), 'utf8');
      yield bytes.subarray(offset, length === undefined ? undefined : offset + length);
      return;
    }
    case 'file':
      return yield* readFile(source, offset, length);
    case 's3': {
      const end = length === undefined ? source.size : offset + length;
      try {
        yield* s3.read(locationOf(source.uri), { offset, end, etag: source.etag });
      } catch (error) {
        throw sourceError(source.uri, error);
      }
    }
  }
}

/**
 * An object that the server may read in place: one whose URL begins with an allowed one.
 * Errors: `source_forbidden`, `source_unreadable`, `source_unavailable`.
 */
export async function openS3Source(
  url: string,
  allowed: readonly string[],
  s3: S3Objects,
): Promise<Extract<SourceRef, { kind: 's3' }>> {
  assertS3Source(url, allowed);
  const location = parseS3Url(url);
  if (location === undefined || location.key === '' || location.key.endsWith('/')) {
    const message = `${JSON.stringify(url)} does not name an object; write s3://bucket/key`;
    throw new EmbedmillError('source_unreadable', message);
  }
  try {
    const { size, etag } = await s3.head(location);
    return { kind: 's3', uri: url, size, etag };
  } catch (error) {
    throw sourceError(url, error);
  }
}

/** Checks that the server may read a URL: it begins with an allowed one. Errors: `source_forbidden`. */
export function assertS3Source(url: string, allowed: readonly string[]): void {
  if (allowed.length === 0) {
    throw new EmbedmillError(
      'source_forbidden',
      'this server reads no buckets; list the buckets that it may read in EMBEDMILL_API_S3_SOURCES, or upload the file',
    );
  }
  if (isBelowAllowed(url, allowed)) return;
  const message = `${JSON.stringify(url)} is not below a place that this server may read (EMBEDMILL_API_S3_SOURCES); move the object there, or upload the file`;
  throw new EmbedmillError('source_forbidden', message);
}

/**
 * An object that the server may write: one whose URL begins with an allowed one. Errors: `source_forbidden`.
 */
export function assertS3Target(url: string, allowed: readonly string[]): void {
  if (isBelowAllowed(url, allowed)) return;
  const message = `${JSON.stringify(url)} is not below a place that this server may write (EMBEDMILL_API_S3_TARGETS); leave "to" out and download the file`;
  throw new EmbedmillError('source_forbidden', message);
}

function isBelowAllowed(url: string, allowed: readonly string[]): boolean {
  // To S3 `..` is an ordinary name, but not to everything that handles URLs on the way.
  const hasDots = url.split('/').some((part) => part === '.' || part === '..');
  return !hasDots && allowed.some((one) => url.startsWith(one.endsWith('/') ? one : `${one}/`));
}

function locationOf(uri: string): { bucket: string; key: string } {
  const location = parseS3Url(uri);
  if (location === undefined) throw new EmbedmillError('source_unreadable', `${uri} is not an object in S3`);
  return location;
}
