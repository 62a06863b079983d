import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DocumentReport, Job } from '@embedmill/jobs';
import { startSourceApi, type SourceApi } from '../testing/source-api.ts';
import type { TestApi } from '../testing/test-api.ts';

/** Jobs with many files, up to their scan and failures, which need no worker. */
const JOBS = '/api/v1/collections/docs/jobs';

let api: TestApi;
let folder: string;
let close: SourceApi['close'];
let url: string;

beforeAll(async () => {
  ({ api, folder, url, close } = await startSourceApi((request, response) => {
    if (request.url === '/gone.csv') return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': 'text/csv' }).end('id,text\nu,by URL\n');
  }));
});
afterAll(() => close?.());

async function scanned({ id }: { id: string }): Promise<Job> {
  let job: Job | undefined;
  const isScanned = async () => {
    job = (await api.json('GET', `/api/v1/jobs/${id}`)).body as Job;
    return job.state === 'running' || job.state === 'failed';
  };
  await expect.poll(isScanned, { timeout: 60_000 }).toBe(true);
  return job as unknown as Job;
}

/** The lines that a job's files became. */
async function linesOf(id: string): Promise<string[]> {
  const { parts } = api;
  const record = await parts.queue.getSubmission(id as never);
  const bytes = await Array.fromAsync(parts.spool.readSource(record!.fetched!));
  return Buffer.concat(bytes).toString().split('\n').slice(0, -1);
}

const submit = async (files: string[], said: object = {}) =>
  (await api.json('POST', JOBS, { source: { files, ...said } })) as { status: number; body: Job };

async function upload(
  files: Record<string, string | Uint8Array<ArrayBuffer>>,
  { places = [], query = '', headers = {} }: { places?: string[]; query?: string; headers?: object } = {},
) {
  const form = new FormData();
  for (const [name, bytes] of Object.entries(files)) form.append('file', new Blob([bytes]), name);
  for (const place of places) form.append('place', place);
  const response = await api.call(`${JOBS}${query}`, { method: 'POST', body: form, headers: { ...headers } });
  return { status: response.status, body: (await response.json()) as Job & { code: string; detail: string } };
}

test('uploaded files of several formats become one job, in the order of their names', async () => {
  const { status, body } = await upload({
    'b/late.csv': 'id,text,year\nc,three,1963\n',
    'a.ndjson': '\uFEFF{"id":"a","text":"one"}\n\n{"id":"b","text":"two"}',
    'b/early.jsonl.gz': gzipSync('{"id":"d","text":"four"}\n'),
    'empty.ndjson': '',
  });
  expect({ status, body }).toMatchObject({ status: 202, body: { source: '4 files' } });
  expect(await scanned(body)).toMatchObject({ state: 'running', documents: 4 });
  expect(await linesOf(body.id)).toEqual([
    '{"id":"a","text":"one"}',
    '',
    '{"id":"b","text":"two"}',
    '{"id":"d","text":"four"}',
    '{"id":"c","text":"three","metadata":{"year":"1963"}}',
  ]);
  // The uploaded files are no longer needed.
  const kept = await readdir(join(api.spoolFolder, body.id));
  expect(kept.filter((name) => name.startsWith('source'))).toHaveLength(1);
});

test('a file that cannot be read is one failure that names it, and its neighbours are read', async () => {
  const torn = gzipSync('{"id":"x","text":"x"}\n'.repeat(10_000)).subarray(0, 60);
  const { body } = await upload({
    'a.csv': 'name,text\nx,y\n',
    'b.csv': 'id,text\nb,two\n',
    'c.ndjson.gz': torn,
    'd.parquet': 'no Parquet',
    'e.parquet.gz': gzipSync('no Parquet'),
    'f.ndjson': '{"id":"f","text":"six"}\nnonsense\n',
  });
  await scanned(body);
  const lines = await linesOf(body.id);
  const faults = lines.flatMap((line) => {
    const { unreadable_row: row } = JSON.parse(line.startsWith('{"unre') ? line : '{}') as {
      unreadable_row?: { message: string };
    };
    return row === undefined ? [] : [row.message];
  });
  expect(faults).toEqual([
    expect.stringMatching(/^the file "a.csv" cannot be read: there is no column "id"/),
    expect.stringMatching(/^the file "c.ndjson.gz" cannot be read: the gzip is incomplete or damaged/),
    expect.stringMatching(/^the file "d.parquet" cannot be read: /),
    expect.stringMatching(/^the file "e.parquet.gz" cannot be read: Parquet is compressed internally/),
  ]);
  expect(lines).toContain('{"id":"b","text":"two"}');
  expect(lines).toContain('{"id":"f","text":"six"}');
});

test('failures and warnings name the file and the line in it', async () => {
  const { body } = await upload({
    'a.ndjson': '{"id":"a","text":"one"}\n{"id":"b"}\n',
    'b.csv': 'id,text\na,again\nc,\n',
  });
  await scanned(body);
  const { parts } = api;
  const of = { id: null, retryable: false, offset: 0, length: 1 };
  const failures: DocumentReport[] = [
    { ...of, line: 2, code: 'missing_text', message: 'no text' },
    { ...of, line: 4, code: 'empty_text', message: 'empty' },
  ];
  const message = 'line 3 has the same id and takes precedence; this line had no effect';
  const warnings: DocumentReport[] = [{ ...of, line: 1, code: 'duplicate_id', message, by: 3 }];
  await parts.spool.settleReports(body.id as never, 0, { failures, warnings });
  const reports = async (kind: string) =>
    (await (await api.call(`/api/v1/jobs/${body.id}/${kind}`)).text())
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as DocumentReport);
  expect(await reports('failures')).toMatchObject([
    { file: 'a.ndjson', line: 2, code: 'missing_text' },
    { file: 'b.csv', line: 2, code: 'empty_text' },
  ]);
  expect(await reports('warnings')).toMatchObject([
    {
      file: 'a.ndjson',
      line: 1,
      message: 'line 1 of b.csv has the same id and takes precedence; this line had no effect',
    },
  ]);
});

test('the server reads a folder with all below it, but what is hidden or of no known format, and URLs', async () => {
  await mkdir(join(folder, 'in/deep/.git'), { recursive: true });
  await writeFile(join(folder, 'in/b.ndjson'), '{"id":"b","text":"two"}\n');
  await writeFile(join(folder, 'in/deep/a.csv'), 'id,text\na,one\n');
  for (const name of ['in/picture.png', 'in/.hidden.ndjson', 'in/deep/.git/config.csv'])
    await writeFile(join(folder, name), 'nothing to read');
  await symlink(folder, join(folder, 'in/loop'));
  await symlink('/etc/passwd', join(folder, 'in/outside.csv'));
  const { status, body } = await submit(['in', `${url}/x`, `${url}/gone.csv`]);
  expect({ status, body }).toMatchObject({ status: 202, body: { source: '5 files' } });
  expect(await scanned(body)).toMatchObject({ documents: 5 });
  const lines = await linesOf(body.id);
  expect(lines.map((line) => (JSON.parse(line) as { id?: string }).id)).toEqual([
    ...[undefined, 'u', 'b', 'a', undefined],
  ]);
  expect(lines[0]).toContain('responded with status 404');
  expect(lines[4]).toContain('is not below the folder that this server may read');
  // A single place is shown as the job's source.
  expect((await submit(['in'])).body.source).toBe('in');
});

test('uploaded files and places of the server are one job', async () => {
  const { body } = await upload({ 'z.csv': 'id,text\nz,last\n' }, { places: [`${url}/x`] });
  expect(await scanned(body)).toMatchObject({ documents: 2 });
});

test('table options apply to all files that are tables', async () => {
  const query = `?columns=${encodeURIComponent('{"id":"sku"}')}&delimiter=;`;
  const files = { 'a.csv': 'sku;text\na;one\n', 'b.ndjson': '{"sku":"b","text":"two"}\n' };
  const { body } = await upload(files, { query });
  await scanned(body);
  expect(await linesOf(body.id)).toEqual(['{"id":"a","text":"one"}', '{"id":"b","text":"two"}']);
});

test('thousands of small files next to a large one are accepted in order of arrival', async () => {
  const small = Array.from({ length: 2000 }, (_, n) => [`s/${n}.ndjson`, `{"id":"${n}","text":"x"}\n`]);
  const large = `${JSON.stringify({ id: 'large', text: 'word '.repeat(1000) })}\n`.repeat(500);
  const { body } = await upload({ 'm.ndjson': large, ...Object.fromEntries(small) });
  expect(body.source).toBe('2001 files');
  expect(await scanned(body)).toMatchObject({ documents: 2500 });
});

test('the same form with the same Idempotency-Key is the same job', async () => {
  const headers = { 'idempotency-key': 'files' };
  const files = { 'a.csv': 'id,text\na,one\n' };
  const first = await upload(files, { headers });
  expect([first.status, (await upload(files, { headers })).status]).toEqual([202, 200]);
  expect((await upload({ 'b.csv': 'id,text\na,one\n' }, { headers })).status).toBe(409);
  expect(await scanned(first.body)).toMatchObject({ documents: 1 });
});

test.each<[string, string, string, string, RegExp]>([
  [
    'a body that is no form',
    'multipart/form-data; boundary=x',
    'nonsense',
    'invalid_request',
    /cannot be read/,
  ],
  ['a form without a boundary', 'multipart/form-data', 'nonsense', 'invalid_request', /Boundary not found/],
  ['nothing at all', 'multipart/form-data; boundary=x', '--x--\r\n', 'invalid_request', /the body is empty/],
  [
    'a part of another name',
    'multipart/form-data; boundary=x',
    '--x\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\nid,text\r\n--x--\r\n',
    'invalid_request',
    /neither a "file" nor a "place"/,
  ],
  [
    'a form that ends early',
    'multipart/form-data; boundary=x',
    '--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nid,text\r\n',
    'invalid_request',
    /cannot be read/,
  ],
])('%s is refused, and nothing is left of it', async (_name, type, body, code, says) => {
  const before = await readdir(api.spoolFolder);
  const response = await api.call(JOBS, { method: 'POST', body, headers: { 'content-type': type } });
  const answer = (await response.json()) as { code: string; detail: string };
  expect(answer).toMatchObject({ code, detail: expect.stringMatching(says) });
  expect(await readdir(api.spoolFolder)).toEqual(before);
});

test.each<[string, string[], object, string, RegExp]>([
  ['a folder of nothing', ['empty'], {}, 'source_unreadable', /it is empty/],
  ['a folder of other files', ['others'], {}, 'source_unreadable', /such as "others\/x.png"/],
  ['a folder elsewhere', ['../'], {}, 'source_forbidden', /not below the folder/],
  ['what is not there', ['nowhere.csv'], {}, 'source_unreadable', /there is no such file/],
  ['a prefix of no named bucket', ['s3://bucket/in/'], {}, 'source_forbidden', /EMBEDMILL_API_S3_SOURCES/],
  ['a delimiter of no CSV', ['x.ndjson'], { delimiter: ';' }, 'invalid_request', /none of the files is CSV/],
])('%s is refused', async (_name, files, said, code, detail) => {
  await mkdir(join(folder, 'empty'), { recursive: true });
  await mkdir(join(folder, 'others'), { recursive: true });
  await writeFile(join(folder, 'others/x.png'), 'x');
  await writeFile(join(folder, 'x.ndjson'), '{"id":"x","text":"x"}\n');
  expect((await submit(files, said)).body).toMatchObject({ code, detail: expect.stringMatching(detail) });
});

test('a forbidden URL among others is a single failure', async () => {
  const { body } = await submit(['http://169.254.169.254/x.csv', `${url}/x`]);
  await scanned(body);
  expect((await linesOf(body.id)).join()).toContain('"source_forbidden"');
});
