import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { startSourceApi, type SourceApi } from '../testing/source-api.ts';
import type { TestApi } from '../testing/test-api.ts';

/** Files that are documents, through each route, up to their scan, which needs no worker. */
const JOBS = '/api/v1/collections/docs/jobs';
const PAGE = '<!doctype html><title>A page</title><main><h1>Head</h1><p>Words.</main>';

let api: TestApi;
let folder: string;
let close: SourceApi['close'];
let url: string;

beforeAll(async () => {
  ({ api, folder, url, close } = await startSourceApi((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE);
  }));
  await mkdir(join(folder, 'docs/more'), { recursive: true });
  await writeFile(join(folder, 'docs/guide.md'), '# Guide\n\nFirst.\n\n## Install\n\nSecond.\n');
  await writeFile(join(folder, 'docs/README'), 'What this is.\n');
  await writeFile(join(folder, 'docs/more/page.html'), PAGE);
  await writeFile(join(folder, 'docs/more/logo.png'), '\x89PNG');
  await writeFile(join(folder, 'docs/rows.csv'), 'id,text\nr,a row\n');
});
afterAll(() => close?.());

/** The lines that a job's files became. */
async function linesOf({ id }: { id: string }): Promise<{ id: string; [field: string]: unknown }[]> {
  const isScanned = async () => {
    const job = (await api.json('GET', `/api/v1/jobs/${id}`)).body as Job;
    return job.state === 'running' || job.state === 'failed';
  };
  await expect.poll(isScanned, { timeout: 60_000 }).toBe(true);
  expect((await api.json('GET', `/api/v1/jobs/${id}`)).body).toMatchObject({ error: null });
  const record = await api.parts.queue.getSubmission(id as never);
  const bytes = await Array.fromAsync(api.parts.spool.readSource(record!.fetched!));
  const lines = Buffer.concat(bytes).toString().split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as { id: string });
}

const submit = async (source: object) => (await api.json('POST', JOBS, { source })).body as Job;

test('a folder is one job: each file of it a document with its structure, and tables their rows', async () => {
  expect(await linesOf(await submit({ files: ['docs'] }))).toEqual([
    {
      id: 'docs/README',
      text: 'What this is.',
      structure: {},
      metadata: { path: 'docs/README', type: 'text' },
    },
    {
      id: 'docs/guide.md',
      title: 'Guide',
      text: 'Guide\n\nFirst.\n\nInstall\n\nSecond.',
      structure: {
        sections: [
          { start: 0, headings: ['Guide'] },
          { start: 15, headings: ['Guide', 'Install'] },
        ],
      },
      metadata: { path: 'docs/guide.md', type: 'markdown' },
    },
    {
      id: 'docs/more/page.html',
      title: 'A page',
      text: 'Head\n\nWords.',
      structure: { sections: [{ start: 0, headings: ['Head'] }] },
      metadata: { path: 'docs/more/page.html', type: 'html' },
    },
    { id: 'r', text: 'a row' },
  ]);
});

test('a file, a URL and a body that are documents are known by their names', async () => {
  expect(await linesOf(await submit({ path: 'docs/guide.md' }))).toMatchObject([{ id: 'docs/guide.md' }]);
  expect(await linesOf(await submit({ url: `${url}/a` }))).toMatchObject([
    { id: `${url}/a`, title: 'A page' },
  ]);
  const headers = { 'content-type': 'text/html' };
  const sent = await api.call(`${JOBS}?name=sent.html`, { method: 'POST', body: PAGE, headers });
  expect(sent.status).toBe(202);
  expect(await linesOf((await sent.json()) as Job)).toMatchObject([{ id: 'sent.html', title: 'A page' }]);
  // The type that browsers and curl send for unknown files.
  const bytes = { 'content-type': 'application/octet-stream' };
  const post = (name: string, body: string) =>
    api.call(`${JOBS}?name=${name}`, { method: 'POST', body, headers: bytes });
  const untold = (await (await post('untold.html', PAGE)).json()) as Job;
  expect(await linesOf(untold)).toMatchObject([{ id: 'untold.html', title: 'A page' }]);
  const table = (await (await post('table.csv', 'id,text\na,One\n')).json()) as Job;
  expect(await linesOf(table)).toMatchObject([{ id: 'a', text: 'One' }]);
  expect((await api.call(JOBS, { method: 'POST', body: PAGE, headers: bytes })).status).toBe(400);
  const unnamed = await api.call(JOBS, { method: 'POST', body: PAGE, headers });
  expect(await unnamed.json()).toMatchObject({
    code: 'invalid_request',
    detail: expect.stringContaining('?name=guide.pdf'),
  });
});

test('content decides, not the name: lines are documents, and what is no document fails alone', async () => {
  const form = new FormData();
  form.append('file', new Blob(['{"id":"a","text":"one"}\n{"id":"b","text":"two"}\n']), 'lines.txt');
  form.append('file', new Blob([PAGE]), 'page.txt');
  form.append('file', new Blob(['\x89PNG\0']), 'picture.pdf');
  const response = await api.call(JOBS, { method: 'POST', body: form });
  const job = (await response.json()) as Job;
  expect(await linesOf(job)).toMatchObject([
    { id: 'a' },
    { id: 'b' },
    { id: 'page.txt', title: 'A page' },
    { id: 'picture.pdf', unreadable_row: { code: 'unsupported_document' } },
  ]);
});

test('column options apply only to tables', async () => {
  const body = await submit({ path: 'docs/guide.md', columns: { text: 'body' } });
  expect(body).toMatchObject({ code: 'invalid_request', detail: expect.stringContaining('columns') });
  expect(await linesOf(await submit({ files: ['docs'], metadata: 'rest' }))).toHaveLength(4);
});
