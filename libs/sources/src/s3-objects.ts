import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { EmbedmillError } from '@embedmill/jobs';
import { ObjectChanged, RangeIgnored, s3Failure } from './s3-error.ts';

/**
 * Objects of any S3-compatible store. The SDK's own settings give its address and the credentials (AWS_ENDPOINT_URL_S3,
 * AWS_REGION, AWS_ACCESS_KEY_ID, roles of the machine, …). The SDK is loaded on the first call, so that it costs
 * nothing without a bucket. Requests with temporary failures (5xx, SlowDown, a broken connection) are retried with
 * growing pauses. If that does not help, the SDK's error is thrown, for the caller to convert.
 */
export interface S3Location {
  bucket: string;
  key: string;
}

export interface ObjectVersion {
  size: number;
  etag: string;
}

/** The bytes that one request reads into memory, so that no connection has to wait for the consumer. */
const WINDOW_BYTES = 4 * 1024 * 1024;
/** The size of an upload's parts; two are in flight while a third fills. S3 allows 10,000 parts. */
const PART_BYTES = 8 * 1024 * 1024;
const MOST_PARTS = 10_000;
const PARTS_AT_ONCE = 2;
const ATTEMPTS = 6;
const CONNECT_MS = 5000;
const SILENCE_MS = 60_000;

export class S3Objects {
  readonly pathStyle: boolean;
  #opened: ReturnType<typeof openClient> | undefined;

  /** `pathStyle`: the bucket is in the path, not in the host name. */
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
   * The bytes from `offset` to `end` (by default the object's end). With an `etag`, throws `ObjectChanged` if the
   * object has another one by now.
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

  /** Bytes `start` to `end`: fewer at the object's end, none beyond it. */
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
      // Not every store supports If-Match or ranges.
      const isOther = etag !== undefined && answer.ETag !== etag;
      if (isOther || (answer.ContentLength ?? 0) > end - start) {
        body.destroy();
        throw isOther ? new ObjectChanged() : new RangeIgnored();
      }
      try {
        const bytes = Buffer.concat(await Array.fromAsync(body as AsyncIterable<Buffer>));
        return { bytes, size: Number(answer.ContentRange?.split('/')[1] ?? start + bytes.length) };
      } catch (error) {
        // The SDK retries requests, but not responses that break off half way.
        if (attempt === ATTEMPTS) throw error;
        await setTimeout(100 * 2 ** attempt);
      }
    }
  }

  /**
   * Writes an object, in parts if it is large. It appears once complete; if `body` throws, nothing is left.
   * `expectedBytes` makes the parts large enough for objects beyond 78 GiB.
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

  /** The objects whose key begins with `key`, in order, with the times when they were written in epoch milliseconds. */
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

  /** Requests one key, to check that the bucket exists and is accessible. */
  async probe({ bucket, key }: S3Location): Promise<void> {
    const { sdk, client } = await this.#open();
    await client.send(new sdk.ListObjectsV2Command({ Bucket: bucket, Prefix: key, MaxKeys: 1 }));
  }

  /** Aborts uploads to keys that begin with `key` and have received no part for `ageMs`. */
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
  /** When an upload received its last part. */
  async #newestPart(upload: { Bucket: string; Key: string; UploadId: string }): Promise<Date | undefined> {
    const { sdk, client } = await this.#open();
    let newest: Date | undefined;
    let marker: { PartNumberMarker?: string | undefined } = {};
    for (;;) {
      const page = await client.send(new sdk.ListPartsCommand({ ...upload, ...marker }));
      newest = page.Parts?.at(-1)?.LastModified ?? newest;
      // The marker of a next page may be set even if there is none, so the SDK's paginator would not end.
      if (page.IsTruncated !== true || page.NextPartNumberMarker === undefined) return newest;
      marker = { PartNumberMarker: page.NextPartNumberMarker };
    }
  }
}

/** Errors: `invalid_config` if no region is set. */
async function openClient(pathStyle: boolean) {
  const sdk = await import('@aws-sdk/client-s3');
  const client = new sdk.S3Client({
    forcePathStyle: pathStyle,
    followRegionRedirects: true,
    maxAttempts: ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: SILENCE_MS },
    // Many compatible stores refuse Amazon's trailing checksums. Bodies are signed anyway.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  await client.config.region().catch((cause: unknown) => {
    const message = 'AWS_REGION: S3 needs a region; any name will do where the store has none';
    throw new EmbedmillError('invalid_config', message, { cause });
  });
  return { sdk, client };
}

/** Parses `s3://bucket/key`; undefined if it is not such a URL. The key may be empty. */
export function parseS3Url(url: string): S3Location | undefined {
  const [, bucket, key = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/s.exec(url) ?? [];
  return bucket === undefined ? undefined : { bucket, key };
}

export function s3Url({ bucket, key }: S3Location): string {
  return `s3://${bucket}/${key}`;
}
