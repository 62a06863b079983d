import { createHash, randomUUID } from 'node:crypto';
import {
  DEFAULT_MAX_REPORTS,
  EmbedmillError,
  reportRoom,
  shardReportRoom,
  type DocumentReport,
  type JobId,
  type JobReports,
  type ReportKind,
  type ReportRoom,
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
/** The folders of what is known of watched sources: what they are, what came of them, their files' versions. */
const WATCHED = { source: 'watched', runs: 'watched-runs', marks: 'watched-marks' } as const;
export type WatchRecord = keyof typeof WATCHED;

/** The folder in a job's own of what its shards wrote of its output. */
const PARTS = 'parts';
/** The file in a snapshot's folder of its documents' keys. */
const KEYS = 'keys';

/** Of a shard that does not say what room its job has. */
const SHARD_ROOM = shardReportRoom(reportRoom(DEFAULT_MAX_REPORTS));

export interface Received {
  source: StoredSource;
  bytes: number;
  sha256: string;
}

/**
 * Where jobs keep what is too large for the queue: `<job>/source-<random>.ndjson` (an upload, or what was copied or
 * made of a source), `<job>/manifest.ndjson`, and `<job>/failures/<shard>.ndjson`, `<job>/warnings/<shard>.ndjson`;
 * of many files also `<job>/files.ndjson`, which lines are whose; of an export also `<job>/parts/<shard>`, and `<job>/output` when they were joined; of a snapshot `<job>/keys`.
 * Clients' files and batches lie beside jobs (stored-files.ts), and maps of collections (stored-maps.ts).
 * Beside them what the queue knows of jobs, for when it loses it: `unfinished/<job>.json`, written before the queue
 * has the job, and `<job>/finished.json`, written before its source is removed; what is known of watched sources; and range
 * tombstones (range-tombstones.ts).
 *
 * Two modes: in a folder, or in a bucket. Invariants: a file is complete when it has its name; two uploads for one
 * job (a repeated Idempotency-Key) never share a file; one shard writes one report file a kind, so that running it
 * twice reports once. The API receives and reads, the dispatcher writes manifests, workers write reports. Sources
 * are read through it, wherever they are.
 */
export class Spool implements SpooledJob {
  /** For sources that lie in buckets. */
  readonly s3: S3Objects;
  readonly rangeTombstones: RangeTombstones;
  /** Clients' files, and the batches that are made of them. */
  readonly files: StoredRecords;
  readonly batches: StoredRecords;
  readonly batchFaults: StoredRecords;
  /** Clients' datasets, and those that embed jobs made of them. */
  readonly datasets: StoredRecords;
  /** Collections as pictures. */
  readonly maps: StoredMaps;
  /** Files that come in parts. */
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

  /** Keeps which lines of a job's source are of which file, as NDJSON. */
  async writeFiles(job: JobId, lines: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#storage.write(`${this.#folderOf(job)}/files.ndjson`, lines);
  }

  /** What `writeFiles` kept; undefined for a job of one source. */
  readFiles(job: JobId): Promise<Buffer | undefined> {
    return this.#storage.find(`${this.#folderOf(job)}/files.ndjson`);
  }

  /**
   * Replaces what the shard reported before; nothing to report removes it. Beyond the room, documents are counted only.
   * Gives what was written.
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

  /** Both kinds of a shard's reports, at the same time: a bucket takes its while over each. */
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
   * What the job's shards reported so far, as NDJSON, in the source's order; a last line `{"more": n}` counts the documents
   * that are not named.
   */
  async *readReports(job: JobId, kind: ReportKind): AsyncGenerator<Uint8Array> {
    let unnamed = 0;
    for await (const { lines, more } of this.#shardReports(job, kind)) {
      unnamed += more;
      if (lines.length > 0) yield Buffer.concat(lines);
    }
    if (unnamed > 0) yield reportLine({ more: unnamed });
  }

  /** Leaves of a job's reports what there is room for, the first ones in the source's order. */
  async cutReports(job: JobId, kind: ReportKind, most: ReportRoom): Promise<void> {
    const left = { ...most };
    for await (const { shard, ...reports } of this.#shardReports(job, kind)) {
      const { written, ...kept } = withinRoom(reports, left);
      left.reports -= written.reports;
      left.bytes -= written.bytes;
      // The first one that does not fit is the last one that is looked at.
      if (kept.more > reports.more) left.reports = 0;
      if (kept.more > reports.more) await this.#write(this.#reportsKey(job, kind, shard), bytesOf(kept));
    }
  }

  /**
   * Copies the lines of `job` that failed from its source to a new source of `retry`; of a shard whose reports do not name
   * all of them, its other lines too. With `wanted`, of those that are named the ones that it says yes to. Gives undefined
   * when there are none.
   */
  async collectFailures(
    job: JobId,
    source: SourceRef,
    retry: JobId,
    wanted?: (report: DocumentReport) => boolean,
  ): Promise<Received | undefined> {
    const failures = this.#shardReports(job, 'failures');
    const received = await this.receive(retry, failedLines(this, job, source, failures, wanted), {
      maxBytes: Number.MAX_SAFE_INTEGER,
    });
    if (received.bytes > 0) return received;
    await this.removeSource(received.source);
    return undefined;
  }

  /** What a shard said of documents that failed, as far as they are named. */
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

  /** The keys of a job's documents, as `KeySet` has them. */
  async writeKeys(job: JobId, body: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#storage.write(`${this.#folderOf(job)}/${KEYS}`, body);
  }

  readKeys(job: JobId): AsyncIterable<Uint8Array> {
    return this.#storage.read(`${this.#folderOf(job)}/${KEYS}`);
  }

  async removeKeys(job: JobId): Promise<void> {
    await this.#storage.remove(`${this.#folderOf(job)}/${KEYS}`);
  }

  /** Writes the part of a job's output that one shard has, in place of an earlier try's. */
  async writePart(job: JobId, shard: number, body: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#storage.write(`${this.#folderOf(job)}/${PARTS}/${numbered(shard)}`, body);
  }

  /** Removes what a shard wrote that is given up. */
  async removePart(job: JobId, shard: number): Promise<void> {
    await this.#storage.remove(`${this.#folderOf(job)}/${PARTS}/${numbered(shard)}`);
  }

  /** The parts of a job's output, in the order of its shards. */
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
    await this.#write(this.#recordKey(job, state), bytes);
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

  /** Keeps something of a watched source, which is known by a key of ours. Errors: `spool_unavailable`. */
  async keepWatch(kind: WatchRecord, key: string, value: object): Promise<void> {
    await this.#write(watchKey(kind, key), Buffer.from(JSON.stringify(value)));
  }

  /** What `keepWatch` kept, as JSON has it; undefined when there is none. Errors: `spool_unavailable`. */
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

function watchKey(kind: WatchRecord, key: string): string {
  return `${WATCHED[kind]}/${key}.json`;
}

/** So that the order of names is that of shards. */
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
