import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, rmdir, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EmbedmillError, type DocumentReport, type JobId, type SourceRef } from '@embedmill/jobs';
import { readLines } from './lines.ts';
import { fileSource, readSource } from './source-bytes.ts';

const PARTIAL = '.partial';

/** What is said of single documents: those that failed, and those that were stored with something to tell. */
export type ReportKind = 'failures' | 'warnings';

export interface Received {
  source: Extract<SourceRef, { kind: 'file' }>;
  bytes: number;
  sha256: string;
}

/**
 * The folder where jobs keep what is too large for the queue: `<job>/source-<random>.ndjson` (an
 * upload), `<job>/manifest.ndjson`, and `<job>/failures/<shard>.ndjson`, `<job>/warnings/<shard>.ndjson`.
 *
 * Invariants: a file is complete and on disk when it has its name (written aside, synced, renamed); two
 * uploads for one job (a repeated Idempotency-Key) never share a file; one shard writes one report file a kind, so
 * that running it twice reports once. The API receives and reads, the
 * dispatcher writes manifests, workers write reports.
 */
export class Spool {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(folder: string): Promise<Spool> {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw unavailable(folder, error);
    }
    return new Spool(folder);
  }

  manifestPath(job: JobId): string {
    return join(this.#jobFolder(job), 'manifest.ndjson');
  }

  /**
   * Streams a body to the job's source file. Errors: `upload_incomplete` (it broke off, or has not
   * `expectedBytes`), `payload_too_large`, `spool_unavailable`; nothing is left behind then.
   */
  async receive(
    job: JobId,
    body: AsyncIterable<Uint8Array>,
    options: { maxBytes: number; expectedBytes?: number | undefined },
  ): Promise<Received> {
    const folder = this.#jobFolder(job);
    const path = join(folder, `source-${randomUUID()}.ndjson`);
    const partial = `${path}${PARTIAL}`;
    const digest = createHash('sha256');
    let bytes = 0;
    try {
      const out = await createIn(folder, partial);
      try {
        for await (const chunk of incompleteWhenBroken(body)) {
          bytes += chunk.length;
          if (bytes > options.maxBytes) {
            const message = `the body has more than ${options.maxBytes} bytes; split it into several jobs`;
            throw new EmbedmillError('payload_too_large', message);
          }
          digest.update(chunk);
          await writeWhole(out, chunk);
        }
        if (options.expectedBytes !== undefined && bytes !== options.expectedBytes) {
          const message = `${bytes} of ${options.expectedBytes} bytes arrived; nothing was started: send it again`;
          throw new EmbedmillError('upload_incomplete', message);
        }
        await out.sync();
      } finally {
        await out.close();
      }
      await rename(partial, path);
      await syncFolder(folder);
      return { source: await fileSource(path), bytes, sha256: digest.digest('hex') };
    } catch (error) {
      await rm(partial, { force: true });
      await removeIfEmpty(folder);
      throw error;
    }
  }

  /** Replaces what the shard reported before; nothing to report removes it. */
  async writeReports(job: JobId, kind: ReportKind, shard: number, reports: DocumentReport[]): Promise<void> {
    const path = join(this.#jobFolder(job), kind, `${String(shard).padStart(9, '0')}.ndjson`);
    if (reports.length === 0) return rm(path, { force: true });
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const partial = `${path}.partial-${process.pid}`;
      await writeFile(partial, reports.map((report) => `${JSON.stringify(report)}\n`).join(''), {
        flush: true,
      });
      await rename(partial, path);
    } catch (error) {
      throw unavailable(path, error);
    }
  }

  /** All that the job's shards reported so far, as NDJSON, in the source's order. */
  async *readReports(job: JobId, kind: ReportKind): AsyncGenerator<Uint8Array> {
    const folder = join(this.#jobFolder(job), kind);
    const names = await readdir(folder).catch(() => []);
    for (const name of names.filter((one) => one.endsWith('.ndjson')).sort()) {
      yield* createReadStream(join(folder, name)) as AsyncIterable<Buffer>;
    }
  }

  /**
   * Copies the lines of `job` that failed from its source to a new source of `retry`. Gives undefined when
   * there are none.
   */
  async collectFailures(job: JobId, source: SourceRef, retry: JobId): Promise<Received | undefined> {
    const reports = this.readReports(job, 'failures');
    let found = false;
    async function* failedLines(): AsyncGenerator<Uint8Array> {
      for await (const group of readLines(reports)) {
        for (const line of group) {
          if (line.bytes === null) continue;
          const report = JSON.parse(line.bytes.toString('utf8')) as DocumentReport;
          found = true;
          yield* readSource(source, report.offset, report.length);
          yield Buffer.from('\n');
        }
      }
    }
    const received = await this.receive(retry, failedLines(), { maxBytes: Number.MAX_SAFE_INTEGER });
    if (found) return received;
    await this.removeSource(received.source);
    return undefined;
  }

  /** Removes an uploaded source that nothing needs any more; does nothing to a file outside the spool. */
  async removeSource(source: SourceRef): Promise<void> {
    if (source.kind !== 'file') return;
    const path = fileURLToPath(source.uri);
    if (relative(this.folder, path).startsWith('..')) return;
    await rm(path, { force: true });
    await removeIfEmpty(dirname(path));
  }

  /** Removes what uploads left that broke off with the process that received them, more than `ageMs` ago. */
  async removeAbandoned(ageMs: number): Promise<void> {
    for (const job of await readdir(this.folder)) {
      const folder = join(this.folder, job);
      for (const name of await readdir(folder).catch(() => [])) {
        if (!name.endsWith(PARTIAL)) continue;
        const info = await stat(join(folder, name)).catch(() => undefined);
        if (info !== undefined && Date.now() - info.mtimeMs > ageMs)
          await rm(join(folder, name), { force: true });
      }
      await removeIfEmpty(folder);
    }
  }

  /** The jobs that have something here, and when it was last written to, in epoch milliseconds. */
  async listJobs(): Promise<{ job: JobId; modified: number }[]> {
    const jobs: { job: JobId; modified: number }[] = [];
    for (const job of await readdir(this.folder)) {
      const folder = join(this.folder, job);
      const names = await readdir(folder).catch(() => []);
      const times = await Promise.all(
        ['.', ...names].map((name) =>
          stat(join(folder, name)).then(
            ({ mtimeMs }) => mtimeMs,
            () => 0,
          ),
        ),
      );
      jobs.push({ job: job as JobId, modified: Math.max(...times) });
    }
    return jobs;
  }

  /** Removes all that there is of a job. */
  async removeJob(job: JobId): Promise<void> {
    await rm(this.#jobFolder(job), { recursive: true, force: true });
  }

  #jobFolder(job: JobId): string {
    if (!/^[A-Za-z0-9_-]{1,128}$/.test(job))
      throw new EmbedmillError('job_not_found', `there is no job ${job}`);
    return join(this.folder, job);
  }
}

/** Creates a file and its folder, which a refused upload for the same job may remove in between. */
async function createIn(folder: string, path: string, tries = 5): Promise<FileHandle> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return await open(path, 'wx');
  } catch (error) {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (isGone && tries > 1) return createIn(folder, path, tries - 1);
    throw unavailable(folder, error);
  }
}

async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch(() => {
    // Something else of the job is in it, or it is gone already: both are fine.
  });
}

async function* incompleteWhenBroken(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    if (error instanceof EmbedmillError) throw error;
    throw new EmbedmillError(
      'upload_incomplete',
      'the upload broke off; nothing was started: send it again',
      {
        cause: error,
      },
    );
  }
}

async function writeWhole(out: FileHandle, chunk: Uint8Array): Promise<void> {
  try {
    await out.appendFile(chunk);
  } catch (error) {
    throw unavailable('the spool', error);
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function unavailable(where: string, error: unknown): EmbedmillError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const advice =
    code === 'ENOSPC'
      ? 'the disk is full: free space'
      : code === 'EEXIST'
        ? 'it is being written already'
        : String(error);
  return new EmbedmillError('spool_unavailable', `cannot write ${where}: ${advice}`, { cause: error });
}
