import { createHash, randomUUID } from 'node:crypto';
import {
  EmbedmillError,
  type DocumentReport,
  type JobId,
  type SourceRef,
  type StoredSource,
} from '@embedmill/jobs';
import { readLines } from './lines.ts';
import { S3Objects } from './s3-objects.ts';
import { readSource } from './source-bytes.ts';
import { SpoolBucket, writeS3Object } from './spool-bucket.ts';
import { SpoolFolder } from './spool-folder.ts';
import type { SpoolStorage } from './spool-storage.ts';

/** What is said of single documents: those that failed, and those that were stored with something to tell. */
export type ReportKind = 'failures' | 'warnings';

/** The folder of unfinished jobs' records. No job has this id: those start with `job_`. */
const UNFINISHED = 'unfinished';
/** The folder in a job's own of what its shards wrote of its output. */
const PARTS = 'parts';
/** Of a source, what is read at once to get at lines in it. */
const STRETCH_BYTES = 1024 * 1024;

export interface Received {
  source: StoredSource;
  bytes: number;
  sha256: string;
}

/**
 * Where jobs keep what is too large for the queue: `<job>/source-<random>.ndjson` (an upload, or what was copied or
 * made of a source), `<job>/manifest.ndjson`, and `<job>/failures/<shard>.ndjson`, `<job>/warnings/<shard>.ndjson`;
 * of an export also `<job>/parts/<shard>`, and `<job>/output` when they were joined.
 * Beside them what the queue knows of jobs, for when it loses it: `unfinished/<job>.json`, written before the queue
 * has the job, and `<job>/finished.json`, written before its source is removed.
 *
 * Two modes: in a folder, or in a bucket. Invariants: a file is complete when it has its name; two uploads for one
 * job (a repeated Idempotency-Key) never share a file; one shard writes one report file a kind, so that running it
 * twice reports once. The API receives and reads, the dispatcher writes manifests, workers write reports. Sources
 * are read through it, wherever they are.
 */
export class Spool {
  /** For sources that lie in buckets. */
  readonly s3: S3Objects;
  readonly #storage: SpoolStorage;

  private constructor(storage: SpoolStorage, s3: S3Objects) {
    this.#storage = storage;
    this.s3 = s3;
  }

  /** `place`: a folder, or `s3://bucket/prefix`. Errors: `spool_unavailable`, `invalid_config`. */
  static async open(place: string, s3 = new S3Objects(), diskReserve?: number): Promise<Spool> {
    const storage = place.startsWith('s3://')
      ? await SpoolBucket.open(place, s3)
      : await SpoolFolder.open(place, diskReserve);
    return new Spool(storage, s3);
  }

  /** The folder, or the bucket's URL. */
  get place(): string {
    return this.#storage.place;
  }

  /**
   * Streams a body to a source file of the job. Errors: `upload_incomplete` (it broke off, or has not
   * `expectedBytes`), `payload_too_large`, `spool_unavailable`; nothing is left behind then.
   */
  async receive(
    job: JobId,
    body: AsyncIterable<Uint8Array>,
    options: { maxBytes: number; expectedBytes?: number | undefined },
  ): Promise<Received> {
    const digest = createHash('sha256');
    let bytes = 0;
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const chunk of incompleteWhenBroken(body)) {
        bytes += chunk.length;
        if (bytes > options.maxBytes) {
          const message = `there are more than ${options.maxBytes} bytes; split it into several jobs`;
          throw new EmbedmillError('payload_too_large', message);
        }
        digest.update(chunk);
        yield chunk;
      }
      if (options.expectedBytes !== undefined && bytes !== options.expectedBytes) {
        const message = `${bytes} of ${options.expectedBytes} bytes arrived; nothing was started: send it again`;
        throw new EmbedmillError('upload_incomplete', message);
      }
    }
    const key = `${this.#folderOf(job)}/source-${randomUUID()}.ndjson`;
    const source = await this.#storage.write(key, counted(), options.expectedBytes);
    return { source, bytes, sha256: digest.digest('hex') };
  }

  /** Bytes of a source. Errors: `source_changed`, `source_unreadable`, `source_unavailable`. */
  readSource(source: SourceRef, offset?: number, length?: number): AsyncGenerator<Uint8Array> {
    return readSource(this.s3, source, offset, length);
  }

  /** Whether a source lies in the spool. */
  holds(source: SourceRef): boolean {
    return this.#storage.keyOf(source) !== undefined;
  }

  async writeManifest(job: JobId, lines: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#storage.write(`${this.#folderOf(job)}/manifest.ndjson`, lines);
  }

  readManifest(job: JobId, cursor: number): AsyncIterable<Uint8Array> {
    return this.#storage.read(`${this.#folderOf(job)}/manifest.ndjson`, cursor);
  }

  /** Replaces what the shard reported before; nothing to report removes it. */
  async writeReports(job: JobId, kind: ReportKind, shard: number, reports: DocumentReport[]): Promise<void> {
    const key = `${this.#folderOf(job)}/${kind}/${numbered(shard)}.ndjson`;
    if (reports.length === 0) return this.#storage.remove(key);
    const lines = Buffer.from(reports.map((report) => `${JSON.stringify(report)}\n`).join(''));
    await this.#storage.write(key, once(lines), lines.length);
  }

  /** Both kinds of a shard's reports, at the same time: a bucket takes its while over each. */
  async settleReports(
    job: JobId,
    shard: number,
    reports: Record<ReportKind, DocumentReport[]>,
  ): Promise<void> {
    await Promise.all([
      this.writeReports(job, 'failures', shard, reports.failures),
      this.writeReports(job, 'warnings', shard, reports.warnings),
    ]);
  }

  /** All that the job's shards reported so far, as NDJSON, in the source's order. */
  async *readReports(job: JobId, kind: ReportKind): AsyncGenerator<Uint8Array> {
    for await (const key of this.#storage.list(`${this.#folderOf(job)}/${kind}`))
      yield* this.#storage.read(key);
  }

  /**
   * Copies the lines of `job` that failed from its source to a new source of `retry`. Gives undefined when
   * there are none.
   */
  async collectFailures(job: JobId, source: SourceRef, retry: JobId): Promise<Received | undefined> {
    const received = await this.receive(retry, this.#failedLines(job, source), {
      maxBytes: Number.MAX_SAFE_INTEGER,
    });
    if (received.bytes > 0) return received;
    await this.removeSource(received.source);
    return undefined;
  }

  /** Lines that lie near one another are read at once: a bucket takes its while over each reading. */
  async *#failedLines(job: JobId, source: SourceRef): AsyncGenerator<Uint8Array> {
    let near: DocumentReport[] = [];
    for await (const group of readLines(this.readReports(job, 'failures'))) {
      for (const line of group) {
        if (line.bytes === null) continue;
        const report = JSON.parse(line.bytes.toString('utf8')) as DocumentReport;
        const start = near[0]?.offset ?? report.offset;
        if (report.offset < start || report.offset + report.length - start > STRETCH_BYTES) {
          yield* this.#linesOf(near, source);
          near = [];
        }
        near.push(report);
      }
    }
    yield* this.#linesOf(near, source);
  }

  async *#linesOf(near: readonly DocumentReport[], source: SourceRef): AsyncGenerator<Uint8Array> {
    const [first] = near;
    if (first === undefined) return;
    const end = Math.max(...near.map(({ offset, length }) => offset + length));
    const parts = await Array.fromAsync(this.readSource(source, first.offset, end - first.offset));
    const stretch = Buffer.concat(parts);
    for (const { offset, length } of near) {
      const start = offset - first.offset;
      yield stretch.subarray(start, start + length);
      yield Buffer.from('\n');
    }
  }

  /** Writes the part of a job's output that one shard has, in place of an earlier try's. */
  async writePart(job: JobId, shard: number, body: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#storage.write(`${this.#folderOf(job)}/${PARTS}/${numbered(shard)}`, body);
  }

  /** The parts of a job's output, in the order of its shards. */
  async *parts(job: JobId): AsyncGenerator<StoredSource> {
    for await (const key of this.#storage.list(`${this.#folderOf(job)}/${PARTS}`)) {
      yield await this.#storage.sourceAt(key);
    }
  }

  async removeParts(job: JobId): Promise<void> {
    await this.#storage.removeFolder(`${this.#folderOf(job)}/${PARTS}`);
  }

  /** Writes a job's output, in the spool or to `s3://bucket/key`. Errors: `spool_unavailable`. */
  async writeOutput(job: JobId, body: AsyncIterable<Uint8Array>, to?: string): Promise<StoredSource> {
    if (to === undefined) return this.#storage.write(`${this.#folderOf(job)}/output`, body);
    return writeS3Object(this.s3, to, body);
  }

  /** Removes a source that nothing needs any more; does nothing to one outside the spool. */
  async removeSource(source: SourceRef): Promise<void> {
    const key = this.#storage.keyOf(source);
    if (key !== undefined) await this.#storage.remove(key);
  }

  /** Removes what uploads left that broke off with the process that received them, more than `ageMs` ago. */
  async removeAbandoned(ageMs: number): Promise<void> {
    await this.#storage.removeAbandoned(ageMs);
  }

  /** The jobs that have something here, and when it was last written to, in epoch milliseconds. */
  async listJobs(): Promise<{ job: JobId; modified: number }[]> {
    const folders = await this.#storage.folders();
    // Whatever else lies there is not ours to speak of.
    return folders.flatMap(({ folder, modified }) =>
      /^job_[a-z0-9]+$/.test(folder) ? [{ job: folder as JobId, modified }] : [],
    );
  }

  /** Keeps a job's record until it is `finished`; from then on that one. Errors: `spool_unavailable`. */
  async keepRecord(job: JobId, record: object, state: 'unfinished' | 'finished'): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(record));
    await this.#storage.write(this.#recordKey(job, state), once(bytes), bytes.length);
    if (state === 'finished') await this.forgetRecord(job);
  }

  /** What `keepRecord` kept, as JSON has it; undefined when there is none. Errors: `spool_unavailable`. */
  async readRecord(job: JobId, state: 'unfinished' | 'finished'): Promise<unknown> {
    const bytes = await this.#storage.find(this.#recordKey(job, state));
    return bytes === undefined ? undefined : JSON.parse(bytes.toString('utf8'));
  }

  /** Forgets an unfinished job. */
  async forgetRecord(job: JobId): Promise<void> {
    await this.#storage.remove(this.#recordKey(job, 'unfinished'));
  }

  /** The jobs that `keepRecord` keeps as unfinished. */
  async unfinishedJobs(): Promise<JobId[]> {
    const keys = await Array.fromAsync(this.#storage.list(UNFINISHED));
    return keys.map((key) => key.slice(UNFINISHED.length + 1, -'.json'.length) as JobId);
  }

  /** Removes all that there is of a job. */
  async removeJob(job: JobId): Promise<void> {
    await this.#storage.removeFolder(this.#folderOf(job));
  }

  #recordKey(job: JobId, state: 'unfinished' | 'finished'): string {
    const folder = this.#folderOf(job);
    return state === 'finished' ? `${folder}/finished.json` : `${UNFINISHED}/${folder}.json`;
  }

  #folderOf(job: JobId): string {
    if (/^[A-Za-z0-9_-]{1,128}$/.test(job)) return job;
    throw new EmbedmillError('job_not_found', `there is no job ${job}`);
  }
}

/** So that the order of names is that of shards. */
function numbered(shard: number): string {
  return String(shard).padStart(9, '0');
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* incompleteWhenBroken(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    if (error instanceof EmbedmillError) throw error;
    const message = 'the upload broke off; nothing was started: send it again';
    throw new EmbedmillError('upload_incomplete', message, { cause: error });
  }
}
