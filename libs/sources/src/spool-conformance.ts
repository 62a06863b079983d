import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { DocumentReport, JobId, MoreReports } from '@embedmill/jobs';
import { readManifest, writeManifest } from './manifest.ts';
import type { Spool } from './spool.ts';

/** A kind of spool, which a test file opens for the suite. */
export interface SpoolPlace {
  /** An empty spool. */
  open(): Promise<Spool>;
  /** The keys of everything stored. */
  keys(): Promise<string[]>;
  /** Leaves the remains of a process that was killed while receiving an upload of `job`. */
  abandonUpload(job: JobId): Promise<void>;
  /** The remains of incomplete uploads. */
  unfinished(): Promise<number>;
  close(): Promise<void>;
}

const JOB = 'job_1' as JobId;
const LARGE = 20 * 1024 * 1024;

async function* parts(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function* blocks(bytes: number, end?: () => never): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < bytes; sent += 1 << 20) yield Buffer.alloc(1 << 20, 97 + ((sent >> 20) % 26));
  end?.();
}

export const report = (line: number, changes: Partial<DocumentReport> = {}): DocumentReport => ({
  line,
  id: `d${line}`,
  code: 'empty_text',
  message: 'the text is empty',
  retryable: false,
  offset: 0,
  length: 0,
  ...changes,
});

const textOf = async (bytes: AsyncIterable<Uint8Array>) =>
  Buffer.concat(await Array.fromAsync(bytes)).toString();

/** The behaviour of every spool, wherever it is. */
export function spoolConformance(start: () => Promise<SpoolPlace>): void {
  let place: SpoolPlace;
  let spool: Spool;
  beforeAll(async () => {
    place = await start();
  });
  afterAll(() => place?.close());
  beforeEach(async () => {
    spool = await place.open();
  });

  test('a received body is there byte by byte, with its digest, and read by ranges', async () => {
    const { source, bytes, sha256 } = await spool.receive(JOB, parts('one\n', 'two\n'), { maxBytes: 100 });
    expect(bytes).toBe(8);
    expect(source).toMatchObject({ size: 8 });
    expect(sha256).toBe(createHash('sha256').update('one\ntwo\n').digest('hex'));
    expect(await textOf(spool.readSource(source))).toBe('one\ntwo\n');
    expect(await textOf(spool.readSource(source, 4, 3))).toBe('two');
    expect(spool.holds(source)).toBe(true);
  });

  test('a large body comes back as it was, also across the pieces it is read in', async () => {
    const { source, bytes, sha256 } = await spool.receive(JOB, blocks(LARGE), { maxBytes: LARGE });
    expect(bytes).toBe(LARGE);
    const digest = createHash('sha256');
    for await (const chunk of spool.readSource(source)) digest.update(chunk);
    expect(digest.digest('hex')).toBe(sha256);
    const middle = await textOf(spool.readSource(source, (1 << 20) - 1, 2));
    expect(middle).toBe('ab');
  });

  const breaks = (): never => {
    throw new Error('ECONNRESET');
  };
  test.each([
    ['one that breaks off', 'upload_incomplete', { maxBytes: LARGE }, 8, breaks],
    ['a large one that breaks off', 'upload_incomplete', { maxBytes: LARGE }, LARGE, breaks],
    ['one shorter than announced', 'upload_incomplete', { maxBytes: LARGE, expectedBytes: 9 }, 8, undefined],
    ['one over the limit', 'payload_too_large', { maxBytes: 7 }, 8, undefined],
    ['a large one over the limit', 'payload_too_large', { maxBytes: LARGE - 1 }, LARGE, undefined],
  ] as const)('of an upload nothing is left: %s', async (_name, code, options, bytes, end) => {
    await expect(spool.receive(JOB, blocks(bytes, end), options)).rejects.toMatchObject({ code });
    expect(await place.keys()).toEqual([]);
    expect(await place.unfinished()).toBe(0);
  });

  test('uploads for one job never share a file, and each is removed alone', async () => {
    const first = await spool.receive(JOB, parts('one\n'), { maxBytes: 100 });
    const second = await spool.receive(JOB, parts('two\n'), { maxBytes: 100 });
    await spool.removeSource(second.source);
    expect(await textOf(spool.readSource(first.source))).toBe('one\n');
    await expect(textOf(spool.readSource(second.source))).rejects.toMatchObject({
      code: 'source_unreadable',
    });
  });

  test('an empty body is an empty source', async () => {
    const { source, bytes } = await spool.receive(JOB, parts(), { maxBytes: 100 });
    expect(bytes).toBe(0);
    expect(await textOf(spool.readSource(source))).toBe('');
  });

  test('what a killed process left of an upload is removed later, and nothing else', async () => {
    const { source } = await spool.receive(JOB, parts('one\n'), { maxBytes: 100 });
    await place.abandonUpload('job_2' as JobId);
    expect(await place.unfinished()).toBe(1);
    await spool.removeAbandoned(3600_000);
    expect(await place.unfinished()).toBe(1);
    await spool.removeAbandoned(-1);
    expect(await place.unfinished()).toBe(0);
    expect(await textOf(spool.readSource(source))).toBe('one\n');
  });

  test('a shard that reports twice is reported once, and shards come in order', async () => {
    await spool.writeReports(JOB, 'failures', 10, [report(30)]);
    await spool.writeReports(JOB, 'failures', 2, [report(5), report(6)]);
    await spool.settleReports(JOB, 2, { failures: [report(6)], warnings: [report(7)] });
    const lines = (await textOf(spool.readReports(JOB, 'failures'))).trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as DocumentReport).line)).toEqual([6, 30]);
    await spool.writeReports(JOB, 'failures', 2, []);
    expect((await textOf(spool.readReports(JOB, 'failures'))).trim().split('\n')).toHaveLength(1);
    expect(await textOf(spool.readReports('job_9' as JobId, 'failures'))).toBe('');
  });

  test('a retry gets just the lines that failed, near one another or not', async () => {
    const line = (n: number) => `{"id":"d${n}","text":"${'x'.repeat(100_000)}"}`;
    const length = line(10).length;
    const lines = Array.from({ length: 40 }, (_, n) => line(n + 10));
    const { source } = await spool.receive(JOB, parts(lines.join('\n')), { maxBytes: 1e7 });
    const failed = [0, 1, 20, 39];
    const reports = failed.map((n) => report(n + 1, { offset: n * (length + 1), length }));
    await spool.writeReports(JOB, 'failures', 0, reports);
    const retry = await spool.collectFailures(JOB, { source }, 'job_2' as JobId);
    const text = retry && (await textOf(spool.readSource(retry.source)));
    expect(text?.split('\n').filter(Boolean)).toEqual(failed.map((n) => line(n + 10)));
    expect(await spool.collectFailures('job_3' as JobId, { source }, 'job_4' as JobId)).toBeUndefined();
  });

  test('reports without room are counted in a line at the end', async () => {
    const reports = Array.from({ length: 9 }, (_, n) => report(n + 1));
    const [line = ''] = reports.map((one) => `${JSON.stringify(one)}\n`);
    const room = (count: number, bytes = 1e6) => ({ reports: count, bytes });
    expect(await spool.writeReports(JOB, 'failures', 0, reports, room(4))).toEqual(room(4, 4 * line.length));
    expect(await spool.writeReports(JOB, 'failures', 1, reports, room(9, 3 * line.length))).toMatchObject({
      reports: 3,
    });
    expect(await spool.writeReports(JOB, 'failures', 2, reports, room(0))).toEqual(room(0, 0));
    const read = async () =>
      (await textOf(spool.readReports(JOB, 'failures')))
        .trim()
        .split('\n')
        .map((text) => JSON.parse(text) as Partial<DocumentReport & MoreReports>);
    expect((await read()).map(({ line: number, more }) => number ?? { more })).toEqual([
      ...[1, 2, 3, 4, 1, 2, 3],
      { more: 5 + 6 + 9 },
    ]);
    for (let again = 0; again < 2; again += 1) {
      await spool.cutReports(JOB, 'failures', room(5));
      expect((await read()).map(({ line: number, more }) => number ?? { more })).toEqual([
        ...[1, 2, 3, 4, 1],
        { more: 22 },
      ]);
    }
  });

  test('a retry gets all that failed, also what the reports do not name, and nothing that was replaced', async () => {
    const ids = Array.from({ length: 12 }, (_, n) => (n === 5 ? 11 : n));
    const lines = ids.map((id, n) => `{"id":"${id}","text":"x${n}"}\n`);
    const { source } = await spool.receive(JOB, parts(...lines), { maxBytes: 1e6 });
    const limits = { documents: 3, bytes: 1e6 };
    await writeManifest(spool, JOB, source, { filterable: {} }, { limits });
    const at = lines.map((_, n) => lines.slice(0, n).join('').length);
    const of = (n: number) => report(n + 1, { offset: at[n] ?? 0, length: lines[n]?.length ?? 0 });
    const none = { reports: 0, bytes: 0 };
    // A listed one, one of three whose other lines may have failed too, and a shard that could not be read.
    await spool.writeReports(JOB, 'failures', 0, [of(1)]);
    await spool.writeReports(JOB, 'failures', 1, [of(3)], none);
    await spool.writeReports(JOB, 'failures', 3, [report(10), report(11), report(12)]);
    const retry = await spool.collectFailures(JOB, { source }, 'job_2' as JobId);
    const text = retry && (await textOf(spool.readSource(retry.source)));
    expect(text?.split('\n').filter(Boolean)).toEqual([1, 3, 4, 9, 10, 11].map((n) => lines[n]?.trim()));
    // A selection includes only listed ones.
    const only = (...wanted: number[]) =>
      spool.collectFailures(JOB, { source }, 'job_5' as JobId, ({ line }) => wanted.includes(line));
    const chosen = await only(2, 4, 11);
    const chosenText = chosen && (await textOf(spool.readSource(chosen.source)));
    expect(chosenText?.split('\n').filter(Boolean)).toEqual([1, 10].map((n) => lines[n]?.trim()));
    expect(await only(5)).toBeUndefined();
  });

  test('a manifest is read from any cursor, with the lines that come again', async () => {
    const documents = Array.from({ length: 50 }, (_, n) => `{"id":"${n % 40}","text":"x"}\n`);
    const { source } = await spool.receive(JOB, parts(...documents), { maxBytes: 1e6 });
    const limits = { documents: 4, bytes: 1e6 };
    const totals = await writeManifest(spool, JOB, source, { filterable: {} }, { limits });
    expect(totals).toMatchObject({ documents: 50, shards: 13 });
    const shards = await Array.fromAsync(readManifest(spool, JOB));
    expect(shards.flatMap(({ range }) => range.duplicates)).toEqual(
      Array.from({ length: 10 }, (_, n) => [n + 1, n + 41]),
    );
    for (const [n, { next }] of shards.entries())
      expect(await Array.fromAsync(readManifest(spool, JOB, next))).toEqual(shards.slice(n + 1));
  });

  test('a job is kept as unfinished until its last record is there', async () => {
    await spool.keepRecord(JOB, { state: 'queued' }, 'unfinished');
    expect(await spool.unfinishedJobs()).toEqual([JOB]);
    expect(await spool.readRecord(JOB, 'unfinished')).toEqual({ state: 'queued' });
    expect(await spool.readRecord(JOB, 'finished')).toBeUndefined();
    await spool.keepRecord(JOB, { state: 'completed' }, 'finished');
    expect(await spool.unfinishedJobs()).toEqual([]);
    expect(await spool.readRecord(JOB, 'unfinished')).toBeUndefined();
    expect(await spool.readRecord(JOB, 'finished')).toEqual({ state: 'completed' });
  });

  test('range tombstones are listed by their sequences, by collection, and removed', async () => {
    const { rangeTombstones: ranges } = spool;
    const [first, second] = [9, 1_790_000_000_000_000].map((sequence) => ({ sequence, job: JOB }));
    if (first === undefined || second === undefined) throw new Error('there are two');
    for (const key of [second, first]) await ranges.keep('books', key, { state: 'open' });
    await ranges.keepKeys('books', second, parts('keys'));
    await ranges.keep('books-2', first, { state: 'closed' });
    expect(await ranges.list('books')).toEqual([first, second]);
    expect((await ranges.collections()).sort()).toEqual(['books', 'books-2']);
    await ranges.keep('books', second, { state: 'closed' });
    expect(await ranges.read('books', second)).toEqual({ state: 'closed' });
    expect(Buffer.concat(await Array.fromAsync(ranges.readKeys('books', second))).toString()).toBe('keys');
    expect(await spool.listJobs()).toEqual([]);
    for (const key of [first, second, first]) await ranges.remove('books', key);
    expect(await ranges.read('books', second)).toBeUndefined();
    expect(await ranges.collections()).toEqual(['books-2']);
    await ranges.removeAll('books-2');
    expect(await place.keys()).toEqual([]);
  });

  test('a job is removed with all that is of it', async () => {
    await spool.receive(JOB, parts('one\n'), { maxBytes: 100 });
    await spool.writeReports(JOB, 'failures', 0, [report(1)]);
    await spool.receive('job_10' as JobId, parts('two\n'), { maxBytes: 100 });
    const now = Date.now();
    const jobs = (await spool.listJobs()).sort((a, b) => (a.job < b.job ? -1 : 1));
    expect(jobs.map(({ job }) => job)).toEqual([JOB, 'job_10']);
    for (const { modified } of jobs) expect(Math.abs(now - modified)).toBeLessThan(60_000);
    await spool.removeJob(JOB);
    expect(await place.keys()).toEqual([expect.stringMatching(/^job_10\/source-/)]);
  });

  test('a job’s id cannot lead out of the spool', async () => {
    const outside = spool.receive('../outside' as JobId, parts('x'), { maxBytes: 10 });
    await expect(outside).rejects.toMatchObject({ code: 'job_not_found' });
  });
}
