import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createClient, type Client } from '@embedmill/client';
import type { Job } from '@embedmill/jobs';
import { documentSource, submitDocuments } from './document-source.ts';
import { FakeApi } from '../testing/fake-api.ts';

let folder: string;
let api: FakeApi;
let client: Client;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'embedmill-cli-'));
  api = await FakeApi.start();
  client = createClient({ url: api.url, pausesMs: [1, 1, 1] });
  await client.collections.create('c');
});
afterEach(async () => {
  await api.stop();
  rmSync(folder, { recursive: true, force: true });
});

function ndjson(lines: number): string {
  const path = join(folder, 'documents.ndjson');
  writeFileSync(path, Array.from({ length: lines }, (_, n) => `{"id":${n},"text":"text ${n}"}\n`).join(''));
  return path;
}

const submit = async (lines = 4): Promise<Job> =>
  submitDocuments(client, 'c', await documentSource(ndjson(lines)));

test('a file that broke off is sent again with the same key', async () => {
  api.breakUploads = 2;
  const job = await submit(1000);
  expect(api.uploads.get(job.id)).toHaveLength(1000);
  expect(api.keys).toHaveLength(3);
  expect(new Set(api.keys).size).toBe(1);
});

test('every submission has a key of its own', async () => {
  await submit();
  await submit();
  expect(new Set(api.keys).size).toBe(2);
});

test('standard input that broke off is not: it cannot be read twice', async () => {
  api.breakUploads = 1;
  const stdin = Readable.from([Buffer.from('{"id":1,"text":"one"}\n')]);
  const source = await documentSource('-', { stdin });
  await expect(submitDocuments(client, 'c', source)).rejects.toMatchObject({
    code: 'unreachable',
  });
  expect(api.keys).toHaveLength(1);
});

test('standard input is streamed', async () => {
  const stdin = new PassThrough();
  const submitted = submitDocuments(client, 'c', await documentSource('-', { stdin }));
  stdin.write('{"id":1,"te');
  stdin.end('xt":"one"}\n');
  expect(api.uploads.get((await submitted).id)).toEqual(['{"id":1,"text":"one"}']);
});

test('progress counts the bytes sent', async () => {
  const source = await documentSource(ndjson(5000));
  let sent = 0;
  await submitDocuments(client, 'c', source, { onSent: (bytes) => (sent = bytes) });
  expect(sent).toBe(source.size);
});

test('an empty file is an empty upload', async () => {
  const job = await submit(0);
  expect(api.uploads.get(job.id)).toEqual([]);
});

test('what the API refuses is not tried again', async () => {
  const source = await documentSource(ndjson(1));
  const refused = submitDocuments(client, 'nope', source);
  await expect(refused).rejects.toMatchObject({ code: 'collection_not_found', status: 404 });
});
