import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Hit } from '@embedmill/jobs';
import { Embedmill, ndjson } from './embedmill.ts';

/** How real models read requests and documents, over the whole path. */
const MODEL = 'all-MiniLM-L6-v2';
const BUNDLED = join(import.meta.dirname, '../models', MODEL);
let mill: Embedmill;
let models: string;

beforeAll(async () => {
  models = mkdtempSync(join(tmpdir(), 'embedmill-models-'));
  cpSync(BUNDLED, join(models, 'prefixed'), { recursive: true });
  cpSync(join(BUNDLED, 'model_int8.onnx'), join(models, 'prefixed/model.onnx'));
  const prefixes = { queryPrefix: 'query: ', documentPrefix: 'passage: ' };
  const entry = { dims: 384, pooling: 'mean', maxTokens: 16, ...prefixes };
  writeFileSync(join(models, 'prefixed/embedmill.json'), JSON.stringify(entry));
  mill = await Embedmill.up({
    env: { EMBEDMILL_MODELS_DIR: models, EMBEDMILL_API_TOKEN_IDS: 'model' },
  });
});
afterAll(async () => {
  await mill.stop();
  rmSync(models, { recursive: true, force: true });
});

async function embed(input: unknown, model: string = MODEL, more: object = {}): Promise<number[]> {
  const answer = await mill.json<{ data: { embedding: number[] }[] }>('/v1/embeddings', {
    model,
    input,
    ...more,
  });
  return answer.data[0]?.embedding ?? [];
}

test('a query has the vector of its prefix and text, and a document the vector of its text', async () => {
  const [query, document] = [await embed('query: a whale'), await embed('passage: a whale')];
  expect(await embed('a whale', 'prefixed')).toEqual(document);
  expect(await embed('a whale', 'prefixed', { input_type: 'query' })).toEqual(query);
  expect(await embed('a whale', 'prefixed:query')).toEqual(query);
  const ask = { inputs: 'a whale', model: 'prefixed', prompt_name: 'query' };
  expect(await mill.json('/embed', ask)).toEqual([query]);
});

test('the model’s token ids have the vector of their text, with or without special tokens, and truncated if too long', async () => {
  // "a whale"
  const ids = [1037, 13156];
  for (const given of [ids, [101, ...ids, 102]]) {
    expect(await embed([given])).toEqual(await embed('a whale'));
    expect(await embed([given], 'prefixed:query')).toEqual(await embed('a whale', 'prefixed:query'));
  }
  const long = Array.from({ length: 40 }, () => 13156);
  expect(await embed([long], 'prefixed')).toEqual(await embed('whale '.repeat(40), 'prefixed'));
  const far = Array.from({ length: 70 }, (_, n) => (n === 69 ? 40_000 : 1037));
  const answer = await mill.call('/v1/embeddings', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: MODEL, input: far.map((id) => [id]) }),
  });
  expect({ status: answer.status, text: await answer.text() }).toEqual({
    status: 400,
    text: expect.stringContaining('input/69: the token id 40000') as string,
  });
});

test('the end of a text that is too long is read if requested', async () => {
  const words = Array.from({ length: 40 }, (_, n) => String(n));
  const left = { truncate: true, truncation_direction: 'Left', model: 'prefixed' };
  const end = await mill.json('/embed', { inputs: words.join(' '), ...left });
  // Of the 16 tokens, two are special and two are the prefix.
  expect(end).toEqual([await embed(words.slice(-12).join(' '), 'prefixed')]);
});

test('a document with a meaningless vector fails if no words can find it, and otherwise gets a warning', async () => {
  const documents = [
    { id: 'known', text: 'a guitar' },
    { id: 'unknown', text: '🚀' },
    { id: 'partly', text: '🎸 guitar' },
    { id: 'titled', text: '🎸', title: 'guitar' },
    { id: 'word', text: 'ⴰⴱⴳ' },
  ];
  const submit = async (profile: object) => {
    const collection = await mill.collection('nothing', profile);
    const job = await mill.finished(await mill.submit(collection, ndjson(documents)));
    const named = async (kind: 'failures' | 'warnings') =>
      (await mill.reports(job, kind)).map(({ id, code }) => `${String(id)} ${String(code)}`);
    return { collection, failures: await named('failures'), warnings: await named('warnings') };
  };
  // Its vector, of unknown tokens only, is all zeros.
  const zeros = await submit({ model: 'static-minilm-256' });
  expect(zeros.failures).toEqual(['unknown unknown_text', 'word unknown_text']);
  const words = await submit({ model: 'static-minilm-256', sparse: { bm25: {} } });
  expect(words).toMatchObject({ failures: ['unknown unknown_text'], warnings: ['word unknown_text'] });
  const [hit] = await mill.search(words.collection, { query: 'ⴰⴱⴳ' });
  expect(hit?.id).toBe('word');
  // Here it has the vector that all such texts have.
  const alike = await submit({});
  expect(alike.failures).toEqual([]);
  expect(alike.warnings).toEqual(['unknown unknown_text', 'word unknown_text']);
  const refused = await mill.call(`/api/v1/collections/${alike.collection}/search`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '🎸' }),
  });
  expect(refused.status).toBe(400);
  const spread = await submit({ sparse: { splade: {} } });
  expect(spread).toMatchObject({ failures: [], warnings: ['unknown unknown_text', 'word unknown_text'] });
});

test('an unknown token of a query does not match other unknown tokens', async () => {
  const ranked = await mill.json<{ index: number; score: number }[]>('/rerank', {
    query: '🎸 strings',
    texts: ['🚀 to the moon', 'a guitar has strings'],
  });
  expect(ranked[0]?.index).toBe(1);
});

test('printed documents and points can be submitted again unchanged', async () => {
  const collection = await mill.collection('again');
  const documents = [
    { id: 'one', text: 'a whale', title: null, metadata: { n: 1, none: null } },
    { id: 'two', text: 'a captain', title: 'Ahab', image: null },
  ];
  const submit = async (some: object[]) => mill.finished(await mill.submit(collection, ndjson(some)));
  expect(await submit(documents)).toMatchObject({ stored: 2, failed: 0 });
  const path = `/api/v1/collections/${collection}`;
  const { points } = await mill.json<{ points: object[] }>(`${path}/points`);
  expect(await submit(points)).toMatchObject({ skipped: 2, failed: 0 });
  const printed = await Promise.all(documents.map(({ id }) => mill.json<object>(`${path}/documents/${id}`)));
  expect(await submit(printed)).toMatchObject({ skipped: 2, failed: 0 });
  const hits: Hit[] = await mill.search(collection, { query: 'whale' });
  expect(hits.map(({ tenant }) => tenant)).toEqual(['default', 'default']);
});
