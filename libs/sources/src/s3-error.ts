import { EmbedmillError } from '@embedmill/jobs';

/** The object has changed since it was referenced. */
export class ObjectChanged extends Error {}
/** The store's answer is longer than the requested range. */
export class RangeIgnored extends Error {}

/** The kinds of S3 failures. */
export interface S3Failure {
  kind: 'missing' | 'forbidden' | 'changed' | 'beyond_end' | 'refused' | 'unavailable';
  reason: string;
}

/**
 * Distinguishes permanent from temporary failures by the response's status; without a response, a failure is temporary.
 */
export function s3Failure(error: unknown): S3Failure {
  if (error instanceof ObjectChanged) return { kind: 'changed', reason: 'the object has been replaced' };
  if (error instanceof RangeIgnored)
    return { kind: 'refused', reason: 'the store does not support byte ranges' };
  const { name, message, status } = partsOf(error);
  const reason = `${name}: ${message}`;
  if (status === undefined) return { kind: 'unavailable', reason };
  switch (status) {
    case 404:
      return {
        kind: 'missing',
        reason: name === 'NoSuchBucket' ? 'there is no such bucket' : 'there is no such object',
      };
    case 401:
    case 403:
      return {
        kind: 'forbidden',
        reason: `the store denies access (${reason}); check the credentials and their policy`,
      };
    case 412:
      return { kind: 'changed', reason: 'the object has been replaced' };
    case 416:
      return { kind: 'beyond_end', reason: 'the object has become shorter' };
    case 408:
    case 429:
      return { kind: 'unavailable', reason };
    default:
      return { kind: status < 500 ? 'refused' : 'unavailable', reason: `${reason} (${status})` };
  }
}

/** An error in reading a source: `source_unreadable`, `source_changed`, or `source_unavailable`, which is temporary. */
export function sourceError(url: string, error: unknown): EmbedmillError {
  if (error instanceof EmbedmillError) return error;
  const { kind, reason } = s3Failure(error);
  const cause = { cause: error };
  switch (kind) {
    case 'missing':
    case 'forbidden':
    case 'refused':
      return new EmbedmillError('source_unreadable', `cannot read ${url}: ${reason}`, cause);
    case 'changed':
    case 'beyond_end': {
      const message = `${url} changed after the job was submitted; submit it again and do not change it until the job ends`;
      return new EmbedmillError('source_changed', message, cause);
    }
    case 'unavailable':
      return new EmbedmillError('source_unavailable', `cannot read ${url} now: ${reason}`, cause);
  }
}

function partsOf(error: unknown): { name: string; message: string; status: number | undefined } {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), status: undefined };
  const metadata = '$metadata' in error ? (error.$metadata as { httpStatusCode?: number }) : {};
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return { name: code ?? error.name, message: error.message, status: metadata.httpStatusCode };
}
