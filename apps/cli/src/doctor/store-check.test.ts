import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { profileSchema, type Collection, type CollectionName, type JobId } from '@embedmill/jobs';
import { openQdrantStore } from '@embedmill/vector-store';
import { startFakeQdrant, type FakeQdrant } from '@embedmill/vector-store/fake-qdrant';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runChecks, type Check } from './checks.ts';
import { readConfig } from '../config.ts';

/** What `doctor` says of a Qdrant. */
const KEY = 'a-key-that-nobody-may-see';
const DOCS = 'docs' as CollectionName;

let fake: FakeQdrant;
let folder: string;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  fake = await started({});
  folder = mkdtempSync(join(tmpdir(), 'embedmill-doctor-test-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function started(options: { version?: string }): Promise<FakeQdrant> {
  const one = await startFakeQdrant(options);
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await one.close();
    isOpen = false;
  };
  closers.push(close);
  return { ...one, close };
}

async function storeCheck(environment: Record<string, string>): Promise<Check> {
  const env = { EMBEDMILL_DATA_DIR: folder, QDRANT_API_KEY: KEY, ...environment };
  const settings = {
    config: readConfig(env),
    environment: env,
    address: () => undefined,
    interruption: { signal: new AbortController().signal } as never,
  };
  for await (const check of runChecks(settings)) {
    expect(JSON.stringify(check)).not.toContain(KEY);
    if (check.name === 'store') return check;
  }
  throw new Error('doctor does not look at the store');
}

test('it is named, with its version and how many collections it has', async () => {
  const check = await storeCheck({ QDRANT_URL: fake.url });
  expect(check).toEqual({
    name: 'store',
    ok: true,
    detail: `Qdrant, ${fake.url}/, version 1.18.3, 0 collections`,
  });
  expect(fake.requests.every(({ apiKey }) => apiKey === KEY)).toBe(true);
});

test('what is not as it should be in its collections is named: strict mode, a load, no index, memory', async () => {
  const store = await openQdrantStore({ url: fake.url, bulkPoints: 10 });
  const collection: Collection = {
    name: DOCS,
    dims: 4,
    vector: 'dense',
    createdAt: '2026-01-01T00:00:00.000Z',
    profile: profileSchema.parse({ storage: 'int8' }),
  };
  await store.createCollection(collection);
  await store.createCollection({ ...collection, name: 'bare' });
  await store.loads.begin(DOCS, 'job-1' as JobId, 10);
  await patch('docs', {
    strict_mode_config: { enabled: true, search_allow_exact: false },
    vectors: { dense: { on_disk: false } },
  });
  await patch('bare', { hnsw_config: { m: 0 } });
  const { ok, detail } = await storeCheck({ QDRANT_URL: fake.url });
  expect(ok).toBe(true);
  for (const said of [
    /2 collections/,
    /"docs" has been deferred for a load since 20.*job-1/,
    /"docs" allows no exact counts \(strict mode\)/,
    /"docs" is int8, but its original vectors \(dense\) are also in memory/,
    /"bare" has no index/,
  ])
    expect(detail).toMatch(said);
});

test('one that is too old fails, with what it lacks', async () => {
  const old = await started({ version: '1.15.5' });
  const { ok, detail } = await storeCheck({ QDRANT_URL: old.url });
  expect(ok).toBe(false);
  expect(detail).toMatch(/1\.15\.5 is too old.*1\.18 or later.*conditional writes.*adding a vector/);
});

test('one that refuses the key fails, and says which setting that is', async () => {
  await storeCheck({ QDRANT_URL: fake.url });
  const refused = { status: 401, error: `Invalid API key or JWT` };
  fake.failures.push(refused, refused);
  const { ok, detail } = await storeCheck({ QDRANT_URL: fake.url });
  expect(ok).toBe(false);
  expect(detail).toContain('QDRANT_API_KEY');
});

test.each([
  ['QDRANT_URL', `http://user:${KEY}@127.0.0.1:1`],
  ['QDRANT_URL', `qdrant://user:${KEY}@127.0.0.1`],
  ['MILVUS_URL', `milvus://user:${KEY}@127.0.0.1`],
  ['MILVUS_URL', `http://user:${KEY}@127.0.0.1:1`],
])('%s that leads nowhere fails, and shows no password', async (name, url) => {
  // Some are refused as settings, before any check.
  const said = await storeCheck({ [name]: url, MILVUS_TOKEN: KEY }).catch((error: unknown) => error);
  expect(said instanceof Error ? said.message : said).toEqual(
    said instanceof Error ? expect.stringContaining(name) : expect.objectContaining({ ok: false }),
  );
  expect(said instanceof Error ? said.message : JSON.stringify(said)).not.toContain(KEY);
});

test('one that is not there is told with the reason, and nothing else', async () => {
  const port = new URL(fake.url).port;
  await fake.close();
  const qdrant = await storeCheck({ QDRANT_URL: `http://127.0.0.1:${port}` });
  expect(qdrant.detail).toMatch(/^Qdrant, \S+: no response \(.*ECONNREFUSED 127\.0\.0\.1:\d+\)$/);
  const milvus = await storeCheck({ MILVUS_URL: `http://127.0.0.1:${port}` });
  expect(milvus.detail).toMatch(/^Milvus, \S+: no response \(connect ECONNREFUSED 127\.0\.0\.1:\d+\)$/);
});

test('two stores at once are refused', async () => {
  const both = storeCheck({ QDRANT_URL: fake.url, MILVUS_URL: 'http://127.0.0.1:19530' });
  await expect(both).rejects.toThrow(/QDRANT_URL.*MILVUS_URL/);
});

async function patch(name: string, change: object): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${fake.url}/collections/${name}`, {
    method: 'PATCH',
    headers,
    body: JSON.stringify(change),
  });
  expect(answer.ok).toBe(true);
}
