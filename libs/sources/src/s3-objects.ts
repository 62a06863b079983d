import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { EmbedmillError } from '@embedmill/jobs';
import { ObjectChanged, RangeIgnored, s3Failure } from './s3-error.ts';

/**
 * Objects of any S3-compatible store. Where it is and who asks comes from the SDK's own settings
 * (AWS_ENDPOINT_URL_S3, AWS_REGION, AWS_ACCESS_KEY_ID, roles of the machine, …). The SDK is loaded and connects at
 * the first call, so that those who have no bucket pay nothing. Requests that fail for the moment (5xx, SlowDown, a
 * broken connection) are repeated with growing pauses; what is thrown then is the SDK's error, for the caller to
 * name.
 */
export interface S3Location {
  bucket: string;
  key: string;
}

export interface ObjectVersion {
  size: number;
  etag: string;
}

/** What one request reads: held in memory, so that no connection waits for whoever takes the bytes. */
const WINDOW_BYTES = 4 * 1024 * 1024;
/** Of an upload; two are under way while a third fills. S3 takes 10,000 of them. */
const PART_BYTES = 8 * 1024 * 1024;
const MOST_PARTS = 10_000;
const PARTS_AT_ONCE = 2;
const ATTEMPTS = 6;
const CONNECT_MS = 5000;
const SILENCE_MS = 60_000;

export class S3Objects {
  readonly pathStyle: boolean;
  #opened: ReturnType<typeof openClient> | undefined;

  /** `pathStyle`: buckets are named in the path, not in the host's name. */
  constructor({ pathStyle = false }: { pathStyle?: boolean } = {}) {
    this.pathStyle = pathStyle;
  }

  #open(): ReturnType<typeof openClient> {
    this.#opened ??= openClient(this.pathStyle).catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async head({ bucket, key }: S3Location): Promise<ObjectVersion> {
    const { sdk, client } = await this.#open();
    const found = await client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: key }));
    return { size: found.ContentLength ?? 0, etag: found.ETag ?? '' };
  }

  /**
   * The bytes from `offset` to `end` (of the whole object by default). With an `etag`, an object that has another one
   * by now gives `ObjectChanged`.
   */
  async *read(
    location: S3Location,
    { offset = 0, end, etag }: { offset?: number; end?: number; etag?: string } = {},
  ): AsyncGenerator<Buffer> {
    let last = end;
    for (let at = offset; last === undefined || at < last;) {
      const { bytes, size } = await this.#window(
        location,
        at,
        Math.min(at + WINDOW_BYTES, last ?? Infinity),
        etag,
      );
      if (bytes.length === 0) return;
      yield bytes;
      at += bytes.length;
      last ??= size;
    }
  }

  /** Bytes `start` to `end`, fewer at the object's end, none beyond it. */
  async #window(location: S3Location, start: number, end: number, etag: string | undefined) {
    const { sdk, client } = await this.#open();
    const request = {
      Bucket: location.bucket,
      Key: location.key,
      Range: `bytes=${start}-${end - 1}`,
      ...(etag !== undefined && { IfMatch: etag }),
    };
    for (let attempt = 1; ; attempt += 1) {
      const answer = await client.send(new sdk.GetObjectCommand(request)).catch((error: unknown) => {
        if (etag === undefined && s3Failure(error).kind === 'beyond_end') return undefined;
        throw error;
      });
      if (answer === undefined) return { bytes: Buffer.alloc(0), size: start };
      const body = answer.Body as Readable;
      // Not every store knows If-Match, nor ranges.
      const isOther = etag !== undefined && answer.ETag !== etag;
      if (isOther || (answer.ContentLength ?? 0) > end - start) {
        body.destroy();
        throw isOther ? new ObjectChanged() : new RangeIgnored();
      }
      try {
        const bytes = Buffer.concat(await Array.fromAsync(body as AsyncIterable<Buffer>));
        return { bytes, size: Number(answer.ContentRange?.split('/')[1] ?? start + bytes.length) };
      } catch (error) {
        // The SDK repeats requests; an answer that breaks off half way is ours to repeat.
        if (attempt === ATTEMPTS) throw error;
        await setTimeout(100 * 2 ** attempt);
      }
    }
  }

  /**
   * Writes an object, in parts where it is large. It is there when it is complete, and nothing is left when `body`
   * throws. `expectedBytes` makes parts large enough for what is beyond 78 GiB.
   */
  async write(
    { bucket, key }: S3Location,
    body: AsyncIterable<Uint8Array>,
    expectedBytes = 0,
  ): Promise<{ etag: string }> {
    const { client } = await this.#open();
    const { Upload } = await import('@aws-sdk/lib-storage');
    const stream = Readable.from(body, { objectMode: false });
    try {
      const upload = new Upload({
        client,
        params: { Bucket: bucket, Key: key, Body: stream },
        partSize: Math.max(PART_BYTES, Math.ceil(expectedBytes / MOST_PARTS)),
        queueSize: PARTS_AT_ONCE,
      });
      const { ETag } = await upload.done();
      return { etag: ETag ?? (await this.head({ bucket, key })).etag };
    } finally {
      stream.destroy();
    }
  }

  async remove({ bucket, key }: S3Location): Promise<void> {
    const { sdk, client } = await this.#open();
    await client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: key }));
  }

  /** Those whose key begins with `key`, in their order, and when they were written, in epoch milliseconds. */
  async *list({
    bucket,
    key,
  }: S3Location): AsyncGenerator<ObjectVersion & { key: string; modified: number }> {
    const { sdk, client } = await this.#open();
    for await (const { Contents = [] } of sdk.paginateListObjectsV2(
      { client },
      { Bucket: bucket, Prefix: key },
    )) {
      for (const { Key, LastModified, Size = 0, ETag = '' } of Contents)
        if (Key !== undefined)
          yield { key: Key, modified: LastModified?.getTime() ?? 0, size: Size, etag: ETag };
    }
  }

  /** Asks for one key, to see that the bucket is there and ours. */
  async probe({ bucket, key }: S3Location): Promise<void> {
    const { sdk, client } = await this.#open();
    await client.send(new sdk.ListObjectsV2Command({ Bucket: bucket, Prefix: key, MaxKeys: 1 }));
  }

  /** Gives up uploads to keys that begin with `key` and that got no part for `ageMs`. */
  async abortUploads({ bucket, key }: S3Location, ageMs: number): Promise<void> {
    const { sdk, client } = await this.#open();
    const isOld = (time: Date | undefined) => time !== undefined && Date.now() - time.getTime() >= ageMs;
    let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
    for (;;) {
      const page = await client.send(
        new sdk.ListMultipartUploadsCommand({ Bucket: bucket, Prefix: key, ...marker }),
      );
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (Key === undefined || UploadId === undefined || !isOld(Initiated)) continue;
        const upload = { Bucket: bucket, Key, UploadId };
        const newest = await this.#newestPart(upload);
        if (isOld(newest ?? Initiated)) await client.send(new sdk.AbortMultipartUploadCommand(upload));
      }
      if (page.IsTruncated !== true) return;
      marker = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
    }
  }
  /** When an upload got its last part. */
  async #newestPart(upload: { Bucket: string; Key: string; UploadId: string }): Promise<Date | undefined> {
    const { sdk, client } = await this.#open();
    let newest: Date | undefined;
    let marker: { PartNumberMarker?: string | undefined } = {};
    for (;;) {
      const page = await client.send(new sdk.ListPartsCommand({ ...upload, ...marker }));
      newest = page.Parts?.at(-1)?.LastModified ?? newest;
      // The marker of the next page may be there also when there is none, so the SDK's paginator has no end.
      if (page.IsTruncated !== true || page.NextPartNumberMarker === undefined) return newest;
      marker = { PartNumberMarker: page.NextPartNumberMarker };
    }
  }
}

/** Errors: `invalid_config` where no region is set. */
async function openClient(pathStyle: boolean) {
  const sdk = await import('@aws-sdk/client-s3');
  const client = new sdk.S3Client({
    forcePathStyle: pathStyle,
    followRegionRedirects: true,
    maxAttempts: ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: SILENCE_MS },
    // Trailing checksums are Amazon's own; many compatible stores refuse them. Bodies are signed all the same.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  await client.config.region().catch((cause: unknown) => {
    const message = 'AWS_REGION: S3 needs a region; any name will do where the store has none';
    throw new EmbedmillError('invalid_config', message, { cause });
  });
  return { sdk, client };
}

/** `s3://bucket/key` in its parts; undefined for what is none. The key may be empty. */
export function parseS3Url(url: string): S3Location | undefined {
  const [, bucket, key = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/s.exec(url) ?? [];
  return bucket === undefined ? undefined : { bucket, key };
}

export function s3Url({ bucket, key }: S3Location): string {
  return `s3://${bucket}/${key}`;
}
