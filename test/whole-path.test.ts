import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OpenAI } from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Collection, Job } from '@embedmill/jobs';
import { Embedmill, ndjson } from './embedmill.ts';

/** From a submitted file to a search hit, through every process and with the real model. */
let mill: Embedmill;
let sources: string;

beforeAll(async () => {
  sources = await mkdtemp(join(tmpdir(), 'embedmill-sources-'));
  mill = await Embedmill.up({
    args: ['--source-dir', sources],
    env: { EMBEDMILL_FETCH_ALLOW: '127.0.0.1', EMBEDMILL_API_TOKEN_IDS: 'model' },
  });
});
afterAll(async () => {
  await mill.stop();
  await rm(sources, { recursive: true, force: true });
});

const collection = (prefix: string, profile: object = {}) => mill.collection(prefix, profile);

const search = (name: string, query: object) => mill.search(name, query);
const points = async (name: string) =>
  (await mill.json<Collection & { points: number }>(`/api/v1/collections/${name}`)).points;

const ANIMALS = [
  { id: 'dog', text: 'A dog barks and guards the house.', metadata: { legs: 4, kind: 'mammal' } },
  { id: 'hen', text: 'A hen lays eggs on the farm.', metadata: { legs: 2, kind: 'bird' } },
  { id: 'carp', text: 'A carp swims in the pond.', metadata: { legs: 0, kind: 'fish' } },
  { id: 'loan', text: 'The bank lends money at interest.', metadata: { kind: 'finance' } },
];
const FILTERABLE = { filterable: { legs: 'integer', kind: 'keyword' } };

test('documents are found by meaning and with filters; unchanged ones are skipped, and changed ones replaced', async () => {
  const name = await collection('animals', FILTERABLE);
  const first = await mill.finished(await mill.submit(name, ndjson(ANIMALS)));
  expect(first).toMatchObject({ state: 'completed', documents: 4, stored: 4, failed: 0, chunks: 4 });
  expect(first.tokens).toBeGreaterThan(4 * 5);

  const [best] = await search(name, { query: 'credit from a financial institution', limit: 1 });
  expect(best).toMatchObject({ id: 'loan', chunk: { index: 0, count: 1, start: 0 } });
  const birds = await search(name, {
    query: 'animal',
    filter: { and: [{ field: 'legs', gte: 1 }, { not: { field: 'kind', eq: 'mammal' } }] },
  });
  expect(birds.map(({ id }) => id)).toEqual(['hen']);

  const again = await mill.finished(await mill.submit(name, ndjson(ANIMALS)));
  expect(again).toMatchObject({ stored: 0, skipped: 4, tokens: 0 });

  const changed = ndjson([{ ...ANIMALS[0], text: 'Shares rose on the stock exchange.' }]);
  expect(await mill.finished(await mill.submit(name, changed))).toMatchObject({ stored: 1, skipped: 0 });
  expect(await points(name)).toBe(4);
  const hits = await search(name, { query: 'stock market', limit: 1 });
  expect(hits[0]).toMatchObject({ id: 'dog', text: 'Shares rose on the stock exchange.' });
});

test('a long text becomes chunks with their positions; when it gets shorter, the rest is deleted', async () => {
  const name = await collection('long');
  const sentences = Array.from({ length: 120 }, (_, n) => `Sentence ${n} tells of the river and its stones.`);
  const text = sentences.join(' ');
  const job = await mill.finished(await mill.submit(name, ndjson([{ id: 'book', text, title: 'Rivers' }])));
  expect(job).toMatchObject({ stored: 1, truncated: 0 });
  expect(job.chunks).toBeGreaterThan(3);
  expect(await points(name)).toBe(job.chunks);
  for (const hit of await search(name, { query: 'river stones', limit: 20 })) {
    expect(hit.text).toBe(text.slice(hit.chunk.start, hit.chunk.end));
    expect(hit.chunk.count).toBe(job.chunks);
    expect(hit.text.trimEnd().endsWith('.')).toBe(true);
  }
  await mill.finished(await mill.submit(name, ndjson([{ id: 'book', text: 'Short now.' }])));
  expect(await points(name)).toBe(1);
});

test('without chunking, a long text is truncated to the model’s limit, with a warning', async () => {
  const name = await collection('cut', { chunking: { mode: 'document' } });
  const job = await mill.finished(
    await mill.submit(name, ndjson([{ id: 'a', text: 'many words here '.repeat(500) }])),
  );
  expect(job).toMatchObject({ stored: 1, chunks: 1, truncated: 1 });
  expect(await mill.reports(job, 'warnings')).toMatchObject([{ id: 'a', code: 'text_truncated', line: 1 }]);
});

test('each invalid line fails with its number and reason, and the rest is stored', async () => {
  const name = await collection('bad', FILTERABLE);
  const lines: [string | Buffer, string | null][] = [
    ['{"id":"ok1","text":"good text"}', null],
    ['{"id":"broken","text":', 'malformed_json'],
    ['[1,2]', 'malformed_json'],
    ['{"text":"no id"}', 'missing_id'],
    ['{"id":"t"}', 'missing_text'],
    ['{"id":"e","text":" \\n "}', 'empty_text'],
    [Buffer.from('7b226964223a2261222c2274657874223a22ff227d', 'hex'), 'invalid_utf8'],
    ['{"id":"n","text":"a\\u0000b"}', 'invalid_unicode'],
    ['{"id":"s","text":"a\\ud800b"}', 'invalid_unicode'],
    ['{"id":"m","text":"x","metadata":{"legs":"four"}}', 'metadata_type'],
    ['{"id":"p","text":"x","__proto__":{"admin":true}}', 'forbidden_key'],
    ['{"id":"u","text":"x","body":"y"}', 'invalid_document'],
    ['{"id":"ok2","text":"also good"}', null],
    ['{"id":"ok1","text":"good text, the last word"}', null],
    [`{"id":"long","text":"${'x'.repeat(33 * 1024 * 1024)}"}`, 'line_too_long'],
  ];
  const body = Buffer.concat(lines.flatMap(([line]) => [Buffer.from(line), Buffer.from('\n')]));
  const job = await mill.finished(await mill.submit(name, body));
  expect(job).toMatchObject({
    state: 'completed',
    documents: 15,
    done: 15,
    stored: 2,
    failed: 12,
    duplicates: 1,
  });
  const expected = lines.flatMap(([, code], n) => (code === null ? [] : [{ line: n + 1, code }]));
  expect(await mill.reports(job, 'failures')).toMatchObject(expected);
  expect(await mill.reports(job, 'warnings')).toMatchObject([{ line: 1, id: 'ok1', code: 'duplicate_id' }]);
  const [hit] = await search(name, {
    query: 'good text',
    limit: 1,
    filter: { field: 'document_id', eq: 'ok1' },
  });
  expect(hit?.text).toBe('good text, the last word');

  const retried = await mill.json<Job>(`/api/v1/jobs/${job.id}/retry`, {});
  expect(await mill.finished(retried)).toMatchObject({
    retryOf: job.id,
    documents: 12,
    failed: 12,
    stored: 0,
  });
});

test('a text of 5 MB is stored completely', async () => {
  const name = await collection('huge');
  const text = Array.from({ length: 26_000 }, (_, n) => `${n}${'x'.repeat(190)}`).join(' ');
  expect(text.length).toBeGreaterThan(5_000_000);
  const job = await mill.finished(await mill.submit(name, ndjson([{ id: 'huge', text }, ANIMALS[0]!])));
  expect(job).toMatchObject({ state: 'completed', stored: 2, failed: 0, truncated: 0 });
  expect(await points(name)).toBe(job.chunks);
});

test('a small array is sent inline; one invalid entry refuses all of it, with its position', async () => {
  const name = await collection('inline');
  const job = await mill.json<Job>(`/api/v1/collections/${name}/jobs`, { documents: ANIMALS });
  expect(await mill.finished(job)).toMatchObject({ source: 'inline', stored: 4 });
  const refused = await mill.call(`/api/v1/collections/${name}/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ documents: [ANIMALS[0], { id: 'x', text: '' }] }),
  });
  expect(refused.status).toBe(422);
  expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const problem = (await refused.json()) as { errors: { path: string }[] };
  expect(problem.errors[0]?.path).toBe('documents/1/text');
});

test('a file below the allowed folder and a URL can be sources; a file elsewhere cannot', async () => {
  const name = await collection('sources');
  await mkdir(join(sources, 'in'));
  await writeFile(join(sources, 'in', 'a.ndjson'), ndjson(ANIMALS.slice(0, 2)));
  const path = `/api/v1/collections/${name}/jobs`;
  const local = await mill.json<Job>(path, { source: { path: 'in/a.ndjson' } });
  expect(await mill.finished(local)).toMatchObject({ state: 'completed', stored: 2 });
  expect(await readFile(join(sources, 'in', 'a.ndjson'), 'utf8')).toBe(ndjson(ANIMALS.slice(0, 2)));

  const server = createServer((request, response) => {
    if (request.url === '/b.ndjson') response.end(ndjson(ANIMALS.slice(2)));
    else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const remote = await mill.json<Job>(path, { source: { url: `${base}/b.ndjson` } });
    expect(await mill.finished(remote)).toMatchObject({ state: 'completed', stored: 2 });
    const missing = await mill.json<Job>(path, { source: { url: `${base}/none` } });
    expect(await mill.finished(missing)).toMatchObject({
      state: 'failed',
      error: { code: 'source_unreadable' },
    });
    const metadata = await mill.json<Job>(path, { source: { url: 'http://169.254.169.254/latest/' } });
    expect(await mill.finished(metadata)).toMatchObject({
      state: 'failed',
      error: { code: 'source_forbidden' },
    });
  } finally {
    server.close();
  }
  for (const outside of ['../x', '/etc/passwd']) {
    const refused = await mill.call(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ source: { path: outside } }),
    });
    expect(refused.status).toBe(403);
  }
});

test('the official OpenAI client embeds through the interactive lane', async () => {
  const { url } = await mill.state();
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none' });
  const answer = await client.embeddings.create({
    model: 'all-MiniLM-L6-v2',
    input: ['a dog', 'a dog', 'a bank'],
  });
  expect(answer.data).toHaveLength(3);
  const [a, b, c] = answer.data.map(({ embedding }) => embedding);
  const dot = (x: number[], y: number[]) => x.reduce((sum, value, n) => sum + value * y[n]!, 0);
  expect(a).toHaveLength(384);
  expect(a).toEqual(b);
  expect(dot(a!, a!)).toBeCloseTo(1, 5);
  expect(dot(a!, c!)).toBeLessThan(0.8);
  expect(answer.usage.prompt_tokens).toBe(12);
  const floats = await client.embeddings.create({
    model: 'all-MiniLM-L6-v2',
    input: 'a dog',
    encoding_format: 'float',
  });
  expect(floats.data[0]!.embedding[0]).toBeCloseTo(a![0]!, 6);
});

test('token ids that the model does not have are refused and reach no device', async () => {
  const { processes } = await mill.state();
  for (const strange of [30_522, 1_000_000_000, 2 ** 31 - 1, 2 ** 32]) {
    const refused = mill.json('/v1/embeddings', {
      model: 'all-MiniLM-L6-v2',
      input: [
        [101, 102],
        [101, strange, 102],
      ],
    });
    await expect(refused).rejects.toThrow(/400.*input\/1/);
  }
  expect((await mill.state()).processes).toEqual(processes);
});

test('a cancelled job ends, and so does one whose collection is deleted', async () => {
  const name = await collection('cancel');
  const lines = Array.from({ length: 20_000 }, (_, n) => ({
    id: `d${n}`,
    text: `${n} ${'word '.repeat(20)}`,
  }));
  const job = await mill.submit(name, ndjson(lines));
  await mill.until('it runs', async () => (await mill.json<Job>(`/api/v1/jobs/${job.id}`)).done > 0);
  await mill.json(`/api/v1/jobs/${job.id}/cancel`, {});
  const cancelled = await mill.finished(job);
  expect(cancelled.state).toBe('cancelled');
  expect(cancelled.done).toBeLessThan(20_000);
  expect(cancelled.done).toBe(cancelled.stored + cancelled.skipped + cancelled.failed + cancelled.duplicates);
  expect(await points(name)).toBe(cancelled.chunks);

  const doomed = await collection('doomed');
  const second = await mill.submit(doomed, ndjson(lines));
  await mill.until('it runs', async () => (await mill.json<Job>(`/api/v1/jobs/${second.id}`)).done > 0);
  await mill.call(`/api/v1/collections/${doomed}`, { method: 'DELETE' });
  const ended = await mill.finished(second);
  expect(ended.state).toBe('cancelled');
  expect(ended.done).toBe(ended.stored + ended.failed);
  for (const report of await mill.reports(second, 'failures')) {
    expect(report).toMatchObject({ code: 'collection_not_found' });
  }
});
