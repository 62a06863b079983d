import { EmbedmillError, type SourceRef, type StoredSource } from '@embedmill/jobs';
import { s3Failure } from './s3-error.ts';
import { parseS3Url, s3Url, type S3Location, type S3Objects } from './s3-objects.ts';
import type { SpoolStorage } from './spool-storage.ts';

/**
 * A spool in a bucket, under a prefix. An object appears once its upload is complete, whether in one request or in
 * parts. The parts of a failed upload are aborted at once, or by `removeAbandoned` if their process was killed.
 */
export class SpoolBucket implements SpoolStorage {
  readonly place: string;
  readonly #root: S3Location;
  readonly #s3: S3Objects;

  private constructor(root: S3Location, s3: S3Objects) {
    this.place = s3Url(root);
    this.#root = root;
    this.#s3 = s3;
  }

  static async open(url: string, s3: S3Objects): Promise<SpoolBucket> {
    const parsed = parseS3Url(url);
    if (parsed === undefined)
      throw new EmbedmillError('invalid_config', `${url} is not a place in S3; write s3://bucket/prefix`);
    const prefix = parsed.key.replace(/\/+$/, '');
    const bucket = new SpoolBucket({ bucket: parsed.bucket, key: prefix === '' ? '' : `${prefix}/` }, s3);
    await bucket.#try('use', bucket.place, s3.probe(bucket.#root));
    return bucket;
  }

  async write(key: string, body: AsyncIterable<Uint8Array>, expectedBytes?: number): Promise<StoredSource> {
    return writeS3Object(this.#s3, s3Url(this.#at(key)), body, expectedBytes);
  }

  async sourceAt(key: string): Promise<StoredSource> {
    const location = this.#at(key);
    const uri = s3Url(location);
    return { kind: 's3', uri, ...(await this.#try('read', uri, this.#s3.head(location))) };
  }

  async *read(key: string, offset = 0): AsyncGenerator<Uint8Array> {
    const location = this.#at(key);
    try {
      yield* this.#s3.read(location, { offset });
    } catch (error) {
      throw unavailable('read', s3Url(location), error);
    }
  }

  async find(key: string): Promise<Buffer | undefined> {
    const location = this.#at(key);
    try {
      return Buffer.concat(await Array.fromAsync(this.#s3.read(location)));
    } catch (error) {
      if (s3Failure(error).kind === 'missing') return undefined;
      throw unavailable('read', s3Url(location), error);
    }
  }

  async *list(folder: string): AsyncGenerator<string> {
    const location = this.#at(`${folder}/`);
    try {
      for await (const { key } of this.#s3.list(location)) yield key.slice(this.#root.key.length);
    } catch (error) {
      throw unavailable('list', s3Url(location), error);
    }
  }

  async folders(): Promise<{ folder: string; modified: number }[]> {
    const modified = new Map<string, number>();
    try {
      for await (const object of this.#s3.list(this.#root)) {
        const [folder = ''] = object.key.slice(this.#root.key.length).split('/');
        modified.set(folder, Math.max(object.modified, modified.get(folder) ?? 0));
      }
    } catch (error) {
      throw unavailable('list', this.place, error);
    }
    return [...modified].map(([folder, time]) => ({ folder, modified: time }));
  }

  async remove(key: string): Promise<void> {
    const location = this.#at(key);
    await this.#try('remove', s3Url(location), this.#s3.remove(location));
  }

  async removeFolder(folder: string): Promise<void> {
    for await (const key of this.list(folder)) await this.remove(key);
  }

  async removeAbandoned(ageMs: number): Promise<void> {
    await this.#try('list uploads of', this.place, this.#s3.abortUploads(this.#root, ageMs));
  }

  keyOf(source: SourceRef): string | undefined {
    const isHere = source.kind === 's3' && source.uri.startsWith(this.place);
    return isHere ? source.uri.slice(this.place.length) : undefined;
  }

  #at(key: string): S3Location {
    return { bucket: this.#root.bucket, key: `${this.#root.key}${key}` };
  }

  async #try<T>(does: string, where: string, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw unavailable(does, where, error);
    }
  }
}

function unavailable(does: string, where: string, error: unknown): EmbedmillError {
  if (error instanceof EmbedmillError) return error;
  const { reason } = s3Failure(error);
  return new EmbedmillError('spool_unavailable', `cannot ${does} ${where}: ${reason}`, { cause: error });
}

/** Writes an object, which appears once complete. Rethrows what `body` throws. Errors: `spool_unavailable`. */
export async function writeS3Object(
  s3: S3Objects,
  uri: string,
  body: AsyncIterable<Uint8Array>,
  expectedBytes?: number,
): Promise<StoredSource> {
  const location = parseS3Url(uri);
  if (location === undefined) throw new EmbedmillError('invalid_config', `${uri} is not a place in S3`);
  let size = 0;
  let broken: { by: unknown } | undefined;
  async function* watched(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of body) {
        size += chunk.length;
        yield chunk;
      }
    } catch (error) {
      broken = { by: error };
      throw error;
    }
  }
  try {
    const { etag } = await s3.write(location, watched(), expectedBytes);
    return { kind: 's3', uri, size, etag };
  } catch (error) {
    // The compiler does not see that the generator sets it.
    const by = broken as { by: unknown } | undefined;
    throw by === undefined ? unavailable('write', uri, error) : by.by;
  }
}
