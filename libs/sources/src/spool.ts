import { createHash, randomUUID } from 'node:crypto';
import {
  DEFAULT_MAX_REPORTS,
  EmbedmillError,
  reportRoom,
  shardReportRoom,
  CopiedSections,
  type DocumentReport,
  type JobId,
  type JobReports,
  type ReportKind,
  type ReportRoom,
  type SourceSection,
  type SourceRef,
  type StoredSource,
} from '@embedmill/jobs';
import { failedLines } from './failed-lines.ts';
import { S3Objects } from './s3-objects.ts';
import { RangeTombstones } from './range-tombstones.ts';
import { bytesOf, reportLine, shardReportsIn, withinRoom, type ShardReports } from './shard-reports.ts';
import { readSource } from './source-bytes.ts';
import { SpoolBucket, writeS3Object } from './spool-bucket.ts';
import { SpoolFolder } from './spool-folder.ts';
import { once, type SpoolStorage } from './spool-storage.ts';
import type { SpooledJob } from './spooled-job.ts';
import { StoredRecords } from './stored-files.ts';
import { StoredMaps } from './stored-maps.ts';

/** The folder of unfinished jobs' records. No job has this id: those start with `job_`. */
const UNFINISHED = 'unfinished';
/** The folders for watched sources: their definitions, their outcomes, and their files' versions. */
const WATCHED = { source: 'watched', runs: 'watched-runs', marks: 'watched-marks' } as const;
export type WatchRecord = keyof typeof WATCHED;

/** The subfolder of a job for its shards' parts of the output. */
const PARTS = 'parts';
/** The file in a snapshot's folder with its documents' keys. */
const KEYS = 'keys';

/** The room for reports of a shard that does not state its job's room. */
const SHARD_ROOM = shardReportRoom(reportRoom(DEFAULT_MAX_REPORTS));

export interface Received {
  source: StoredSource;
  bytes: number;
  sha256: string;
}

/**
 * Where jobs keep what is too large for the queue: `<job>/source-<random>.ndjson` (an upload, or a copied or converted
 * source), `<job>/manifest.ndjson` (`manifest-<section>.ndjson` for further sections), and
 * `<job>/failures/<shard>.ndjson`, `<job>/warnings/<shard>.ndjson`; for many files also `<job>/files.ndjson`, which
 * records the lines of each; for an export also `<job>/parts/<shard>`, and `<job>/output` once they are joined; for a snapshot `<job>/keys`. Clients' files and batches (stored-files.ts) and
 * maps of collections (stored-maps.ts) are next to the jobs. In addition the spool keeps jobs' records, in case the
 * queue loses them: `unfinished/<job>.json`, written before the queue has the job, and `<job>/finished.json`, written
 * before its source is removed; the state of watched sources; and range tombstones (range-tombstones.ts).
 *
 * Two modes: in a folder, or in a bucket. Invariants: a file with its final name is complete; two uploads for one job
 * (a repeated Idempotency-Key) never share a file; each shard writes one report file of each kind, so that running it
 * twice reports once. The API receives and reads, the dispatcher writes manifests, workers write reports. Sources are
 * read through the spool, wherever they are.
 */
export class Spool implements SpooledJob {
  /** For sources in buckets. */
  readonly s3: S3Objects;
  readonly rangeTombstones: RangeTombstones;
  /** Clients' files, and the batches created from them. */
  readonly files: StoredRecords;
  readonly batches: StoredRecords;
  readonly batchFaults: StoredRecords;
  /** Clients' datasets, and the output datasets of embed jobs. */
  readonly datasets: StoredRecords;
  /** Maps of collections. */
  readonly maps: StoredMaps;
  /** Files uploaded in parts. */
  readonly uploads: StoredRecords;
  readonly #storage: SpoolStorage;

  private constructor(storage: SpoolStorage, s3: S3Objects) {
    this.#storage = storage;
    this.rangeTombstones = new RangeTombstones(storage);
    this.files = new StoredRecords(storage, 'files');
    this.batches = new StoredRecords(storage, 'batches');
    this.batchFaults = new StoredRecords(storage, 'batch-faults');
    this.datasets = new StoredRecords(storage, 'datasets');
    this.maps = new StoredMaps(storage);
    this.uploads = new StoredRecords(storage, 'uploads');
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
   * Streams a body to a source file of the job. Errors: `upload_incomplete` (it broke off, or its size is not
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
          const message = `the upload has more than ${options.maxBytes} bytes; split it into several jobs`;
          throw new EmbedmillError('payload_too_large', message);
        }
        digest.update(chunk);
        yield chunk;
      }
      if (options.expectedBytes !== undefined && bytes !== options.expectedBytes) {
        const message = `only ${bytes} of ${options.expectedBytes} bytes arrived; no job was started: send it again`;
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

  /** Whether a source is in the spool. */
  holds(source: SourceRef): boolean {
    return this.#storage.keyOf(source) !== undefined;
  }

  async writeManifest(job: JobId, section: number, lines: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#storage.write(this.#manifestKey(job, section), lines);
  }

  readManifest(job: JobId, section: number, cursor: number): AsyncIterable<Uint8Array> {
    return this.#storage.read(this.#manifestKey(job, section), cursor);
  }

  #manifestKey(job: JobId, section: number): string {
    return `${this.#folderOf(job)}/manifest${section === 0 ? '' : `-${section}`}.ndjson`;
  }

  /** Stores which lines of a job's source belong to which file, as NDJSON. */
  async writeFiles(job: JobId, lines: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#storage.write(`${this.#folderOf(job)}/files.ndjson`, lines);
  }

  /** The data stored by `writeFiles`; undefined for a job with one source. */
  readFiles(job: JobId): Promise<Buffer | undefined> {
    return this.#storage.find(`${this.#folderOf(job)}/files.ndjson`);
  }

  /**
   * Replaces the shard's earlier reports; without any reports, removes them. Documents beyond the room are only
   * counted. Returns what was written.
   */
  async writeReports(
    job: JobId,
    kind: ReportKind,
    shard: number,
    reports: readonly DocumentReport[],
    room: ReportRoom = SHARD_ROOM[kind],
  ): Promise<ReportRoom> {
    const key = this.#reportsKey(job, kind, shard);
    const { written, ...kept } = withinRoom({ lines: reports.map(reportLine), more: 0 }, room);
    if (reports.length === 0) await this.#storage.remove(key);
    else await this.#write(key, bytesOf(kept));
    return written;
  }

  /** Writes both kinds of a shard's reports concurrently, because each write to a bucket is slow. */
  async settleReports(
    job: JobId,
    shard: number,
    reports: Record<ReportKind, readonly DocumentReport[]>,
    room: JobReports = SHARD_ROOM,
  ): Promise<JobReports> {
    const [failures, warnings] = await Promise.all([
      this.writeReports(job, 'failures', shard, reports.failures, room.failures),
      this.writeReports(job, 'warnings', shard, reports.warnings, room.warnings),
    ]);
    return { failures, warnings };
  }

  /**
   * The job's reports so far, as NDJSON, in the source's order; a last line `{"more": n}` counts the documents that are
   * not listed.
   */
  async *readReports(job: JobId, kind: ReportKind): AsyncGenerator<Uint8Array> {
    let unnamed = 0;
    for await (const { lines, more } of this.#shardReports(job, kind)) {
      unnamed += more;
      if (lines.length > 0) yield Buffer.concat(lines);
    }
    if (unnamed > 0) yield reportLine({ more: unnamed });
  }

  /** Truncates a job's reports to the room, keeping the first ones in the source's order. */
  async cutReports(job: JobId, kind: ReportKind, most: ReportRoom): Promise<void> {
    const left = { ...most };
    for await (const { shard, ...reports } of this.#shardReports(job, kind)) {
      const { written, ...kept } = withinRoom(reports, left);
      left.reports -= written.reports;
      left.bytes -= written.bytes;
      // Stops at the first one that does not fit.
      if (kept.more > reports.more) left.reports = 0;
      if (kept.more > reports.more) await this.#write(this.#reportsKey(job, kind, shard), bytesOf(kept));
    }
  }

  /**
   * Copies the failed lines of `job` from its source to a new source of `retry`; for a shard whose reports do not list
   * all of them, its other lines too. With `wanted`, only the listed ones that it accepts. Also returns the sections that
   * the lines are from. Undefined if there are none.
   */
  async collectFailures(
    job: JobId,
    { source, sections }: { source: SourceRef; sections?: readonly SourceSection[] | undefined },
    retry: JobId,
    wanted?: (report: DocumentReport) => boolean,
  ): Promise<(Received & { sections: SourceSection[] | undefined }) | undefined> {
    const failures = this.#shardReports(job, 'failures');
    const copied = new CopiedSections(sections);
    const lines = failedLines(this, job, { source, sections: sections?.length, copied }, failures, wanted);
    const received = await this.receive(retry, lines, { maxBytes: Number.MAX_SAFE_INTEGER });
    if (received.bytes > 0) return { ...received, sections: copied.sections };
    await this.removeSource(received.source);
    return undefined;
  }

  /** A shard's listed reports of failed documents. */
  async shardFailures(job: JobId, shard: number): Promise<DocumentReport[]> {
    const bytes = await this.#storage.find(this.#reportsKey(job, 'failures', shard));
    if (bytes === undefined) return [];
    return shardReportsIn(bytes).lines.map((line) => JSON.parse(line.toString('utf8')) as DocumentReport);
  }

  async *#shardReports(job: JobId, kind: ReportKind): AsyncGenerator<ShardReports & { shard: number }> {
    for await (const key of this.#storage.list(`${this.#folderOf(job)}/${kind}`)) {
      const bytes = await this.#storage.find(key);
      const shard = Number(/(\d+)\.ndjson$/.exec(key)?.[1]);
      if (bytes !== undefined) yield { shard, ...shardReportsIn(bytes) };
    }
  }

  #reportsKey(job: JobId, kind: ReportKind, shard: number): string {
    return `${this.#folderOf(job)}/${kind}/${numbered(shard)}.ndjson`;
  }

  async #write(key: string, bytes: Buffer): Promise<void> {
    await this.#storage.write(key, once(bytes), bytes.length);
  }

  /** The keys of a job's documents, as a `KeySet`. */
  async writeKeys(job: JobId, body: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#storage.write(`${this.#folderOf(job)}/${KEYS}`, body);
  }

  readKeys(job: JobId): AsyncIterable<Uint8Array> {
    return this.#storage.read(`${this.#folderOf(job)}/${KEYS}`);
  }

  async removeKeys(job: JobId): Promise<void> {
    await this.#storage.remove(`${this.#folderOf(job)}/${KEYS}`);
  }

  /** Writes one shard's part of a job's output, replacing that of an earlier attempt. */
  async writePart(job: JobId, shard: number, body: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#storage.write(`${this.#folderOf(job)}/${PARTS}/${numbered(shard)}`, body);
  }

  /** Removes the output of an abandoned shard. */
  async removePart(job: JobId, shard: number): Promise<void> {
    await this.#storage.remove(`${this.#folderOf(job)}/${PARTS}/${numbered(shard)}`);
  }

  /** The parts of a job's output, in order of its shards. */
  async *parts(job: JobId): AsyncGenerator<{ shard: number; source: StoredSource }> {
    for await (const key of this.#storage.list(`${this.#folderOf(job)}/${PARTS}`)) {
      yield { shard: Number(/(\d+)$/.exec(key)?.[1]), source: await this.#storage.sourceAt(key) };
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

  /** Removes a source that is no longer needed; ignores one outside the spool. */
  async removeSource(source: SourceRef): Promise<void> {
    const key = this.#storage.keyOf(source);
    if (key !== undefined) await this.#storage.remove(key);
  }

  /** Removes the remains of uploads whose receiving process died more than `ageMs` ago. */
  async removeAbandoned(ageMs: number): Promise<void> {
    await this.#storage.removeAbandoned(ageMs);
  }

  /** The jobs with data here, and the time of the last write to it, in epoch milliseconds. */
  async listJobs(): Promise<{ job: JobId; modified: number }[]> {
    const folders = await this.#storage.folders();
    // Anything else there is not ours.
    return folders.flatMap(({ folder, modified }) =>
      /^job_[a-z0-9]+$/.test(folder) ? [{ job: folder as JobId, modified }] : [],
    );
  }

  /** Stores a job's record. That of a finished job replaces that of the unfinished one. Errors: `spool_unavailable`. */
  async keepRecord(job: JobId, record: object, state: 'unfinished' | 'finished'): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(record));
    await this.#write(this.#recordKey(job, state), bytes);
    if (state === 'finished') await this.forgetRecord(job);
  }

  /** The JSON stored by `keepRecord`; undefined if there is none. Errors: `spool_unavailable`. */
  async readRecord(job: JobId, state: 'unfinished' | 'finished'): Promise<unknown> {
    const bytes = await this.#storage.find(this.#recordKey(job, state));
    return bytes === undefined ? undefined : JSON.parse(bytes.toString('utf8'));
  }

  /** Removes an unfinished job's record. */
  async forgetRecord(job: JobId): Promise<void> {
    await this.#storage.remove(this.#recordKey(job, 'unfinished'));
  }

  /** The jobs stored as unfinished by `keepRecord`. */
  async unfinishedJobs(): Promise<JobId[]> {
    const keys = await Array.fromAsync(this.#storage.list(UNFINISHED));
    return keys.map((key) => key.slice(UNFINISHED.length + 1, -'.json'.length) as JobId);
  }

  /** Stores data of a watched source, which is identified by a key of ours. Errors: `spool_unavailable`. */
  async keepWatch(kind: WatchRecord, key: string, value: object): Promise<void> {
    await this.#write(watchKey(kind, key), Buffer.from(JSON.stringify(value)));
  }

  /** The JSON stored by `keepWatch`; undefined if there is none. Errors: `spool_unavailable`. */
  async readWatch(kind: WatchRecord, key: string): Promise<unknown> {
    const bytes = await this.#storage.find(watchKey(kind, key));
    return bytes === undefined ? undefined : JSON.parse(bytes.toString('utf8'));
  }

  /** The keys of all watched sources. */
  async watches(): Promise<string[]> {
    const keys = await Array.fromAsync(this.#storage.list(WATCHED.source));
    return keys.map((key) => key.slice(WATCHED.source.length + 1, -'.json'.length));
  }

  async removeWatch(key: string): Promise<void> {
    for (const kind of ['source', 'runs', 'marks'] as const) await this.#storage.remove(watchKey(kind, key));
  }

  /** Removes all data of a job. */
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

function watchKey(kind: WatchRecord, key: string): string {
  return `${WATCHED[kind]}/${key}.json`;
}

/** Padded, so that names sort like shards. */
function numbered(shard: number): string {
  return String(shard).padStart(9, '0');
}

async function* incompleteWhenBroken(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    if (error instanceof EmbedmillError) throw error;
    const message = 'the upload ended early; no job was started: send it again';
    throw new EmbedmillError('upload_incomplete', message, { cause: error });
  }
}
