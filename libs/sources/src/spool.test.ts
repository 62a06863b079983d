import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DocumentReport, JobId } from '@embedmill/jobs';
import { fileSource, openLocalSource, readSource } from './source-bytes.ts';
import { Spool } from './spool.ts';

const JOB = 'job_1' as JobId;
let folder: string;
let spool: Spool;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-spool-'));
  spool = await Spool.open(join(folder, 'spool'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function* parts(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

const report = (line: number, changes: Partial<DocumentReport> = {}): DocumentReport => ({
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

test('a received body is on disk byte by byte, with its digest', async () => {
  const { source, bytes, sha256 } = await spool.receive(JOB, parts('one\n', 'two\n'), { maxBytes: 100 });
  expect(await readFile(fileURLToPath(source.uri), 'utf8')).toBe('one\ntwo\n');
  expect(bytes).toBe(8);
  expect(sha256).toBe(createHash('sha256').update('one\ntwo\n').digest('hex'));
  expect(await textOf(readSource(source, 4, 3))).toBe('two');
});

test.each([
  ['one that breaks off', 'upload_incomplete', { maxBytes: 100 }, true],
  ['one shorter than announced', 'upload_incomplete', { maxBytes: 100, expectedBytes: 9 }, false],
  ['one over the limit', 'payload_too_large', { maxBytes: 7 }, false],
] as const)('of an upload nothing is left: %s', async (_name, code, options, breaks) => {
  async function* body() {
    yield Buffer.from('one\ntwo\n');
    if (breaks) throw new Error('ECONNRESET');
  }
  await expect(spool.receive(JOB, body(), options)).rejects.toMatchObject({ code });
  expect(await readdir(spool.folder)).toEqual([]);
});

test('uploads for one job never share a file', async () => {
  const first = await spool.receive(JOB, parts('one\n'), { maxBytes: 100 });
  const second = await spool.receive(JOB, parts('two\n'), { maxBytes: 100 });
  expect(await textOf(readSource(first.source))).toBe('one\n');
  await spool.removeSource(second.source);
  expect(await textOf(readSource(first.source))).toBe('one\n');
});

test('what a killed process left of an upload is removed later, and nothing else', async () => {
  const { source } = await spool.receive(JOB, parts('one\n'), { maxBytes: 100 });
  await mkdir(join(spool.folder, 'job_2'));
  const left = join(spool.folder, 'job_2', 'source-x.ndjson.partial');
  await writeFile(left, 'half');
  await spool.removeAbandoned(60_000);
  expect(await readdir(join(spool.folder, 'job_2'))).toHaveLength(1);
  await utimes(left, 1, 1);
  await spool.removeAbandoned(60_000);
  expect(await readdir(spool.folder)).toEqual([JOB]);
  expect(await textOf(readSource(source))).toBe('one\n');
});

test('a shard that reports twice is reported once, and shards come in order', async () => {
  await spool.writeReports(JOB, 'failures', 10, [report(30)]);
  await spool.writeReports(JOB, 'failures', 2, [report(5), report(6)]);
  await spool.writeReports(JOB, 'failures', 2, [report(6)]);
  await spool.writeReports(JOB, 'warnings', 2, [report(7)]);
  const lines = (await textOf(spool.readReports(JOB, 'failures'))).trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as DocumentReport).line)).toEqual([6, 30]);
  await spool.writeReports(JOB, 'failures', 2, []);
  expect((await textOf(spool.readReports(JOB, 'failures'))).trim().split('\n')).toHaveLength(1);
});

test('a retry gets just the lines that failed', async () => {
  const lines = ['{"id":"a"}\n', '{"id":"b"}\n', '{"id":"c"}'];
  const { source } = await spool.receive(JOB, parts(...lines), { maxBytes: 100 });
  await spool.writeReports(JOB, 'failures', 0, [
    report(1, { offset: 0, length: 11 }),
    report(3, { offset: 22, length: 10 }),
  ]);
  const retry = await spool.collectFailures(JOB, source, 'job_2' as JobId);
  expect((await textOf(readSource(retry!.source))).split('\n').filter(Boolean)).toEqual([
    '{"id":"a"}',
    '{"id":"c"}',
  ]);
  expect(await spool.collectFailures('job_3' as JobId, source, 'job_4' as JobId)).toBeUndefined();
});

test('a job id that is none reaches no other folder', async () => {
  const outside = spool.receive('../outside' as JobId, parts('x'), { maxBytes: 10 });
  await expect(outside).rejects.toMatchObject({ code: 'job_not_found' });
  expect(await readdir(folder)).toEqual(['spool']);
});

test('a source that changed while the job ran is refused', async () => {
  const path = join(folder, 'data.ndjson');
  await writeFile(path, 'one\ntwo\n');
  const source = await fileSource(path);
  await writeFile(path, 'other\ntwo\n');
  await expect(textOf(readSource(source, 0, 3))).rejects.toMatchObject({ code: 'source_changed' });
  await rm(path);
  await expect(textOf(readSource(source, 0, 3))).rejects.toMatchObject({ code: 'source_unreadable' });
});

test('local sources are read below the allowed folder only, whatever the path or link says', async () => {
  const allowed = join(folder, 'allowed');
  await mkdir(join(allowed, 'in'), { recursive: true });
  await writeFile(join(allowed, 'in', 'ok.ndjson'), 'x\n');
  await writeFile(join(folder, 'secret'), 'x\n');
  await symlink(join(folder, 'secret'), join(allowed, 'link'));
  await symlink(allowed, join(folder, 'alias'));
  expect(await openLocalSource('in/ok.ndjson', allowed)).toMatchObject({ kind: 'file', size: 2 });
  expect(await openLocalSource(join(allowed, 'in/ok.ndjson'), join(folder, 'alias'))).toMatchObject({
    size: 2,
  });
  for (const path of ['../secret', join(folder, 'secret'), 'link', 'in/../../secret', '', '.']) {
    await expect(openLocalSource(path, allowed), path).rejects.toMatchObject({ code: 'source_forbidden' });
  }
  await expect(openLocalSource('in', allowed)).rejects.toMatchObject({ code: 'source_unreadable' });
  await expect(openLocalSource('nothing', allowed)).rejects.toMatchObject({ code: 'source_unreadable' });
  await expect(openLocalSource('x', undefined)).rejects.toMatchObject({ code: 'source_forbidden' });
});

test('of any body, however it comes and ends, either all is there or nothing', async () => {
  let kept = 0;
  const body = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      ...[body, fc.nat(100), fc.option(fc.nat(100)), fc.option(fc.nat(6))],
      async (chunks, maxBytes, announced, breaksAt) => {
        async function* broken() {
          for (const [n, chunk] of chunks.entries()) {
            if (n === breaksAt) throw new Error('ECONNRESET');
            yield chunk;
          }
        }
        const whole = Buffer.concat(chunks);
        const breaks = breaksAt !== null && breaksAt < chunks.length;
        const fits = whole.length <= maxBytes && (announced === null || announced === whole.length);
        const options = { maxBytes, expectedBytes: announced ?? undefined };
        const received = await spool.receive(JOB, broken(), options).catch((error: unknown) => error);
        if (received instanceof Error) {
          expect(breaks || !fits).toBe(true);
          expect(received).toMatchObject({
            code: expect.stringMatching(/^(upload_incomplete|payload_too_large)$/),
          });
        } else {
          kept += 1;
          const { source, bytes, sha256 } = received as Awaited<ReturnType<Spool['receive']>>;
          expect(breaks).toBe(false);
          expect({ bytes, sha256 }).toEqual({
            bytes: whole.length,
            sha256: createHash('sha256').update(whole).digest('hex'),
          });
          expect(Buffer.concat(await Array.fromAsync(readSource(source)))).toEqual(whole);
          await spool.removeSource(source);
        }
        expect(await readdir(spool.folder)).toEqual([]);
      },
    ),
    { numRuns: 2000 },
  );
  expect(kept).toBeGreaterThan(100);
}, 60_000);
