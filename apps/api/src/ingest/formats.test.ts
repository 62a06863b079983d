import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { startSourceApi, type SourceApi } from '../testing/source-api.ts';
import type { TestApi } from '../testing/test-api.ts';

/** Documents in formats other than NDJSON, up to their scan, which needs no worker. */
const JOBS = '/api/v1/collections/docs/jobs';
const CSV = 'sku,body,year\na,one,1961\nb,two,1962\nc,,1963\n';
const COLUMNS = { id: 'sku', text: 'body' };
const QUERY = `?columns=${encodeURIComponent(JSON.stringify(COLUMNS))}`;

let api: TestApi;
let folder: string;
let close: SourceApi['close'];
let url: string;

beforeAll(async () => {
  ({ api, folder, url, close } = await startSourceApi((request, response) => {
    const type = request.url === '/typed' ? 'text/csv; charset=utf-8' : 'application/octet-stream';
    response.writeHead(200, { 'content-type': type }).end(CSV.replace('sku', 'id').replace('body', 'text'));
  }));
});
afterAll(() => close?.());

async function scanned({ id }: { id: string }): Promise<Job> {
  let job: Job | undefined;
  const isScanned = async () => {
    job = (await api.json('GET', `/api/v1/jobs/${id}`)).body as Job;
    return job.documents > 0 || job.state === 'failed';
  };
  await expect.poll(isScanned, { timeout: 60_000 }).toBe(true);
  // No worker finishes it, and the number of concurrently dispatched jobs is limited.
  await api.json('POST', `/api/v1/jobs/${id}/cancel`, {});
  return job as unknown as Job;
}

const upload = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string>, query = '') =>
  api.call(`${JOBS}${query}`, { method: 'POST', body, headers });

const submit = async (source: object) =>
  (await api.json('POST', JOBS, { source })) as { status: number; body: Job };

test.each<[string, string | Uint8Array<ArrayBuffer>, Record<string, string>, string]>([
  ['CSV', CSV, { 'content-type': 'text/csv' }, QUERY],
  ['CSV with gzip', gzipSync(CSV), { 'content-type': 'text/csv', 'content-encoding': 'gzip' }, QUERY],
  ['CSV by its parameter', CSV, { 'content-type': 'application/x-ndjson' }, `${QUERY}&format=csv`],
  [
    'NDJSON with gzip',
    gzipSync('{"id":1,"text":"x"}\n'.repeat(3)),
    { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' },
    '',
  ],
  [
    'a gzip of lines',
    gzipSync('{"id":1,"text":"x"}\n'.repeat(3)),
    { 'content-type': 'application/gzip' },
    '',
  ],
])(
  'an upload of %s becomes lines in the spool, and nothing else is kept',
  async (_name, body, headers, query) => {
    const response = await upload(body, headers, query);
    expect(response.status).toBe(202);
    const job = await scanned((await response.json()) as Job);
    expect(job).toMatchObject({ state: 'running', documents: 3, source: 'upload' });
    const files = async () => (await readdir(join(api.spoolFolder, job.id))).length;
    await expect.poll(files, { timeout: 60_000 }).toBe(2);
  },
);

test('files and URLs are read by their names, their types, or as it is said', async () => {
  await writeFile(join(folder, 'table.csv.gz'), gzipSync(CSV));
  await writeFile(join(folder, 'table.txt'), CSV);
  for (const source of [
    { path: 'table.csv.gz', columns: COLUMNS },
    { path: 'table.txt', format: 'csv', columns: COLUMNS },
    { url: `${url}/table.csv` },
    { url: `${url}/typed` },
    { url: `${url}/anything`, format: 'csv' },
  ]) {
    const { status, body } = await submit(source);
    expect(status).toBe(202);
    expect(await scanned(body), JSON.stringify(source)).toMatchObject({ state: 'running', documents: 3 });
  }
});

test('a table without the columns that it needs fails its job, and says which there are', async () => {
  const job = await scanned((await (await upload(CSV, { 'content-type': 'text/csv' })).json()) as Job);
  expect(job).toMatchObject({
    state: 'failed',
    error: { code: 'source_unreadable', message: expect.stringContaining('"sku", "body", "year"') },
  });
});

test('the same bytes with other columns are another submission', async () => {
  const headers = { 'content-type': 'text/csv', 'idempotency-key': 'columns' };
  expect((await upload(CSV, headers, QUERY)).status).toBe(202);
  expect((await upload(CSV, headers, QUERY)).status).toBe(200);
  expect((await upload(CSV, headers)).status).toBe(409);
});

test.each([
  ['a delimiter of NDJSON', '?delimiter=;', 'application/x-ndjson', /delimiter: only CSV has a delimiter/],
  ['a delimiter of two characters', '?delimiter=::', 'text/csv', /delimiter: must be one character/],
  ['an encoding that there is not', '?encoding=klingon', 'text/csv', /"klingon" is not a known encoding/],
  ['an encoding of Parquet', '?format=parquet&encoding=latin1', 'text/csv', /encoding: Parquet has/],
  [
    'metadata that is said twice',
    '?metadata=rest&columns={"metadata":["x"]}',
    'text/csv',
    /metadata: "columns" sets it already/,
  ],
  ['columns that are no JSON', '?columns=id', 'text/csv', /columns: must be a JSON object/],
  ['a field that there is not', '?columns={"name":"x"}', 'text/csv', /columns\/name/],
  ['a format that there is not', '?format=xml', 'text/csv', /format/],
  ['Parquet in gzip', '?format=parquet', 'application/gzip', /Parquet is compressed internally/],
])('%s is refused', async (_name, query, type, says) => {
  const response = await upload(CSV, { 'content-type': type }, query);
  expect(response.status).toBe(400);
  const { code, detail } = (await response.json()) as { code: string; detail: string };
  expect(code).toBe('invalid_request');
  expect(detail).toMatch(says);
});

test('no bucket is read unless it is named', async () => {
  const { status, body } = await submit({ s3: 's3://bucket/key.ndjson' });
  expect({ status, body }).toMatchObject({
    status: 403,
    body: { code: 'source_forbidden', detail: expect.stringContaining('EMBEDMILL_API_S3_SOURCES') },
  });
  expect((await submit({ s3: 's3://bucket/key', path: 'x' })).status).toBe(400);
  expect((await submit({ s3: 'bucket/key' })).status).toBe(400);
});
