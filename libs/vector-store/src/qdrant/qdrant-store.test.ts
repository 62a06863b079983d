import { profileSchema, type Collection, type CollectionName, type TenantId } from '@embedmill/jobs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { absent, documentOf, keyOf, near, stored, unit } from '../conformance-documents.ts';
import { startFakeQdrant, type FakeQdrant } from './fake-qdrant.ts';
import { openQdrantStore } from './open-qdrant-store.ts';
import type { QdrantStore } from './qdrant-store.ts';

/** QdrantStore's requests, and its handling of a failing server, with the fake Qdrant. */
const NAME = 'docs' as CollectionName;
const COLLECTION: Collection = {
  name: NAME,
  dims: 4,
  vector: 'dense',
  createdAt: '2026-01-01T00:00:00.000Z',
  profile: profileSchema.parse({
    filterable: { tag: 'keyword', year: 'integer', price: 'float', done: 'boolean', at: 'datetime' },
  }),
};

let fake: FakeQdrant;
let store: QdrantStore;

beforeEach(async () => {
  fake = await startFakeQdrant();
  store = await openQdrantStore({ url: fake.url, apiKey: 'secret', timeout: 5000 });
  await store.createCollection(COLLECTION);
});
afterEach(async () => {
  await fake.close();
  expect(fake.violations).toEqual([]);
});

function upserts() {
  return fake.requests.filter(({ method, path }) => method === 'put' && path.endsWith('/points'));
}

function pointsOf(request: { body: unknown } | undefined) {
  const { points } = request?.body as {
    points: { id: string; payload: { chunk_index: number; chunk_count: number } }[];
  };
  // Tombstones have no chunks.
  return points.filter((point) => point.payload.chunk_count > 0);
}

async function sendToFake(method: string, path: string, body: unknown): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  await fetch(fake.url + path, { method, headers, body: JSON.stringify(body) });
}

describe('collections in Qdrant', () => {
  test('every field that is filtered by is indexed by its type, tenants as tenants', () => {
    const indexes = fake.requests
      .filter((request) => request.path.endsWith('/index'))
      .map((request) => request.body);
    const ofWrites = { on_disk: true, enable_hnsw: false };
    expect(indexes).toEqual([
      { field_name: 'document_id', field_schema: { type: 'keyword', ...ofWrites } },
      { field_name: 'tenant', field_schema: { type: 'keyword', is_tenant: true } },
      {
        field_name: 'chunk_index',
        field_schema: { type: 'integer', lookup: true, range: true, ...ofWrites },
      },
      {
        field_name: 'chunk_count',
        field_schema: { type: 'integer', lookup: true, range: false, ...ofWrites },
      },
      { field_name: 'sequence', field_schema: { type: 'integer', lookup: false, range: true, ...ofWrites } },
      { field_name: 'metadata.tag', field_schema: { type: 'keyword' } },
      { field_name: 'metadata.year', field_schema: { type: 'integer' } },
      { field_name: 'metadata.price', field_schema: { type: 'float' } },
      { field_name: 'metadata.done', field_schema: { type: 'bool' } },
      { field_name: 'metadata.at', field_schema: { type: 'datetime' } },
    ]);
  });

  test('indexes that an interrupted creation did not get to are made by the next one', async () => {
    await store.deleteCollection(NAME);
    fake.requests.length = 0;
    // Aliases, info, creation, info and two indexes succeed; then the third index fails, however often it is retried.
    const broken = { status: 500, error: 'Service internal error' };
    await expect(failFrom(7, broken, () => store.createCollection(COLLECTION))).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    fake.requests.length = 0;
    await store.createCollection(COLLECTION);
    const made = fake.requests.filter((request) => request.path.endsWith('/index')).length;
    expect(made).toBe(10 - 2);
  });

  test("somebody else's collection is not listed, not found, not written and not deleted", async () => {
    await sendToFake('PUT', '/collections/theirs', { vectors: { dense: { size: 4, distance: 'Cosine' } } });
    const theirs = 'theirs' as CollectionName;
    expect((await store.listCollections()).map((collection) => collection.name)).toEqual([NAME]);
    expect(await store.getCollection(theirs)).toBeUndefined();
    expect(await store.deleteCollection(theirs)).toBe(false);
    const write = store.replaceDocuments(theirs, [documentOf(theirs, 'a')]);
    await expect(write).rejects.toMatchObject({ code: 'collection_not_found' });
    const creation = store.createCollection({ ...COLLECTION, name: 'theirs' });
    await expect(creation).rejects.toMatchObject({ code: 'collection_exists' });
    await expect(creation).rejects.toThrow(/not embedmill's/);
  });

  test('one that was made anew with another size is noticed: the writer reads it again', async () => {
    await store.replaceDocuments(NAME, [documentOf(NAME, 'a')]);
    const other = await openQdrantStore({ url: fake.url });
    await other.deleteCollection(NAME);
    await expect(store.countPoints(NAME)).rejects.toMatchObject({ code: 'collection_not_found' });
    await store.createCollection(COLLECTION);
    await store.countPoints(NAME);
    await other.deleteCollection(NAME);
    await other.createCollection({ ...COLLECTION, dims: 5 });
    const write = store.replaceDocuments(NAME, [documentOf(NAME, 'a')]);
    await expect(write).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
    expect((await store.getCollection(NAME))?.dims).toBe(5);
  });
});

describe('writing to Qdrant', () => {
  test('requests hold at most 256 points and 5 MB, and chunks 0 go last', async () => {
    const many = documentOf(NAME, 'many', { chunks: 600 });
    const long = documentOf(NAME, 'long', { chunks: 12 });
    for (const { payload } of long.points) payload.text = 'ü'.repeat(500_000);
    await store.replaceDocuments(NAME, [many, long, documentOf(NAME, 'short')]);

    const sent = upserts();
    expect(Math.max(...sent.map((request) => pointsOf(request).length))).toBe(256);
    expect(Math.max(...sent.map((request) => request.bytes))).toBeLessThan(5_100_000);
    expect(sent.flatMap((request) => pointsOf(request)).length).toBe(613);
    const [last, ...others] = sent.filter((request) => pointsOf(request).length > 0).toReversed();
    expect(pointsOf(last).map((point) => point.payload.chunk_index)).toEqual([0, 0, 0]);
    for (const request of others) {
      expect(pointsOf(request).every((point) => point.payload.chunk_index > 0)).toBe(true);
    }
  });

  test('documents of one chunk are written and looked at; those of several are buried before', async () => {
    // Each look-up also checks concurrently whether the definition has changed.
    const looks = /get ,post points|post points,get /g;
    const paths = () =>
      fake.requests
        .map(({ method, path }) => `${method} ${path.split('/').slice(3).join('/')}`)
        .join()
        .replaceAll(looks, 'look')
        .split(',');
    fake.requests.length = 0;
    await store.replaceDocuments(NAME, [documentOf(NAME, 'b'), documentOf(NAME, 'c', { tenant: 'x' })]);
    expect(paths()).toEqual(['put points', 'look']);
    fake.requests.length = 0;
    await store.replaceDocuments(NAME, [documentOf(NAME, 'a', { chunks: 2 }), documentOf(NAME, 'd')]);
    expect(paths()).toEqual(['put points', 'look', 'put points', 'put points', 'look']);
    fake.requests.length = 0;
    await store.replaceDocuments(NAME, [documentOf(NAME, 'a', { sequence: 2 })]);
    expect(paths()).toEqual(['put points', 'look', 'post points/delete']);
    expect(fake.requests.at(-1)?.body).toEqual({
      filter: {
        must: [
          { key: 'tenant', match: { value: 'default' } },
          { key: 'document_id', match: { any: ['a'] } },
          { key: 'chunk_index', range: { gte: 1 } },
        ],
        must_not: [{ key: 'sequence', range: { gt: 2 } }],
      },
    });
  });

  test('a write that fails in the middle leaves no document found that is not whole', async () => {
    await store.replaceDocuments(NAME, [documentOf(NAME, 'a', { chunks: 3, fingerprint: 'old' })]);
    const broken = { status: 500, error: 'Service internal error' };
    // The tombstone is written and read; the following requests fail.
    const write = () => store.replaceDocuments(NAME, [documentOf(NAME, 'a', { chunks: 2 })]);
    await expect(failFrom(4, broken, write)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await store.findDocuments(NAME, [keyOf('a')])).toEqual([absent(1)]);
    await write();
    expect(await store.findDocuments(NAME, [keyOf('a')])).toEqual([stored('a', 2)]);
    expect(await store.countPoints(NAME)).toBe(2);
  });

  test('a point that no request can hold is refused with advice, not sent', async () => {
    const document = documentOf(NAME, 'a');
    for (const { payload } of document.points) payload.text = 'x'.repeat(33_000_000);
    fake.requests.length = 0;
    await expect(store.replaceDocuments(NAME, [document])).rejects.toMatchObject({ code: 'store_rejected' });
    expect(upserts()).toEqual([]);
  });

  test('2,500 documents are looked up in three requests', async () => {
    await store.replaceDocuments(NAME, [documentOf(NAME, 'd7'), documentOf(NAME, 'd2400')]);
    fake.requests.length = 0;
    const found = await store.findDocuments(
      NAME,
      Array.from({ length: 2500 }, (_, i) => keyOf(`d${i}`)),
    );
    expect(fake.requests.length).toBe(3);
    expect(found.flatMap((one, i) => (one === undefined ? [] : [i]))).toEqual([7, 2400]);
  });
});

describe('a Qdrant that fails', () => {
  const search = () =>
    store.search(NAME, { vector: near(unit(4, 0)), limit: 1, offset: 0, tenant: 't' as TenantId });

  test.each([
    ['is too busy', { status: 429, error: 'too many requests', headers: { 'retry-after': '1' } }],
    ['is too busy and does not say how long', { status: 429, error: 'too many requests' }],
    ['has a fault', { status: 500, error: 'Service internal error' }],
    ['is not there behind its proxy', { status: 503, error: 'unavailable' }],
    ['breaks the connection', null],
  ])('once, when it %s, is asked again', async (_, failure) => {
    fake.failures.push(failure);
    expect(await search()).toEqual([]);
    expect(fake.failures).toEqual([]);
  });

  test('again and again is store_unavailable, after three tries', async () => {
    fake.requests.length = 0;
    const broken = { status: 503, error: 'unavailable' };
    await expect(failFrom(1, broken, search)).rejects.toMatchObject({
      code: 'store_unavailable',
      retryable: true,
    });
    expect(fake.requests.length).toBe(3);
  });

  test('and asks to wait for longer is left alone for so long', async () => {
    fake.failures.push({ status: 429, error: 'too many requests', headers: { 'retry-after': '9' } });
    fake.requests.length = 0;
    await expect(search()).rejects.toMatchObject({ code: 'store_unavailable', retryAfter: 9 });
    expect(fake.requests.length).toBe(1);
  });

  test('and answers nothing is not waited for by a search, nor asked again; a write is', async () => {
    const hurried = await openQdrantStore({ url: fake.url, timeout: 1000, searchTimeout: 100 });
    await hurried.countPoints(NAME);
    fake.requests.length = 0;
    fake.failures.push('frozen');
    const query = { vector: near(unit(4, 0)), limit: 1, offset: 0 };
    const found = hurried.search(NAME, query);
    await expect(found).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
    await expect(found).rejects.toThrow(/no response in time/);
    fake.failures.push('frozen');
    await expect(hurried.ping()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(fake.requests.length).toBe(2);
    fake.failures.push('frozen');
    await hurried.replaceDocuments(NAME, [documentOf(NAME, 'a')]);
    expect(await store.countPoints(NAME)).toBe(1);
  });

  test.each([
    [400, 'Wrong input: something', 'store_rejected', /something/],
    [401, 'Must provide an API key', 'store_rejected', /QDRANT_API_KEY/],
    [403, 'Forbidden', 'store_rejected', /QDRANT_API_KEY/],
    [413, 'Payload too large', 'store_rejected', /too large/],
    [404, 'Not found', 'collection_not_found', /Not found/],
  ])('with %i is not asked again', async (status, error, code, message) => {
    fake.failures.push({ status, error });
    const failed = search();
    await expect(failed).rejects.toMatchObject({ code });
    await expect(failed).rejects.toThrow(message);
  });

  test('is not there: store_unavailable, with what was tried', async () => {
    const { url, close } = await startFakeQdrant();
    await close();
    const gone = await openQdrantStore({ url });
    const ping = gone.ping();
    await expect(ping).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(ping).rejects.toThrow(url);
    await expect(ping).rejects.toThrow('ECONNREFUSED');
  });

  test('and refuses the key fails the ping with store_unavailable, and says why', async () => {
    // Not for its version, which it tells anybody.
    await store.ping();
    fake.failures.push({ status: 401, error: 'Must provide an API key' });
    const ping = store.ping();
    await expect(ping).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(ping).rejects.toThrow(/QDRANT_API_KEY/);
  });
});

describe('a Qdrant', () => {
  test('that is too old fails the ping, with what it lacks', async () => {
    const old = await startFakeQdrant({ version: '1.16.3' });
    try {
      const ping = (await openQdrantStore({ url: old.url })).ping();
      await expect(ping).rejects.toMatchObject({ code: 'store_unavailable' });
      await expect(ping).rejects.toThrow(/1\.16\.3.*1\.18 or later.*adding a vector/);
    } finally {
      await old.close();
    }
  });

  test('is asked for its version once; where a proxy hides it, it is taken to do', async () => {
    fake.failures.push({ status: 404, error: 'not here' });
    await store.ping();
    expect((await store.report()).version).toBe('1.18.3');
    fake.requests.length = 0;
    await store.ping();
    expect(fake.requests.map(({ path }) => path)).toEqual(['/collections']);
  });

  test('that allows no exact counts of one collection gives estimates of it, and says so in its report', async () => {
    await store.replaceDocuments(NAME, [documentOf(NAME, 'a', { chunks: 2 }), documentOf(NAME, 'b')]);
    await store.deleteDocuments(NAME, [keyOf('b')], 2);
    expect(await store.report()).toEqual({ version: '1.18.3', collections: 1, remarks: [] });
    const strict = { strict_mode_config: { enabled: true, search_allow_exact: false } };
    await sendToFake('PATCH', `/collections/${NAME}`, strict);
    expect(await store.countPoints(NAME)).toBe(2);
    expect(await store.countDocuments(NAME, 'tenant')).toEqual([{ value: 'default', documents: 1 }]);
    expect(await store.purgeTombstones(NAME, 3)).toBe(1);
    // The count before a vector's deletion must be exact.
    await expect(store.countLacking(NAME, 'dense')).rejects.toMatchObject({ code: 'store_rejected' });
    expect((await store.report()).remarks).toEqual([expect.stringContaining('estimates')]);
  });

  test('that allows no exact counts of one collection lists and counts all the others exactly', async () => {
    const others = ['another', 'zoo'] as CollectionName[];
    for (const name of others) await store.createCollection({ ...COLLECTION, name });
    for (const name of [NAME, ...others]) await store.replaceDocuments(name, [documentOf(name, 'a')]);
    const strict = { strict_mode_config: { enabled: true, search_allow_exact: false } };
    await sendToFake('PATCH', `/collections/${NAME}`, strict);
    const listed = await store.listCollections();
    expect(listed.map(({ name }) => name)).toEqual(['another', NAME, 'zoo']);
    for (const { name } of listed) expect(await store.countPoints(name as CollectionName)).toBe(1);
  });
});

describe('the address of Qdrant', () => {
  test('the key is sent, and not shown', () => {
    expect(fake.requests.every((request) => request.apiKey === 'secret')).toBe(true);
    expect(store.description).not.toContain('secret');
  });

  test.each([
    ['http://qdrant', 'http://qdrant:6333/'],
    ['https://qdrant:443', 'https://qdrant:443/'],
    ['http://user:pass@qdrant:80/', 'http://qdrant:80/'],
    ['https://gateway:8443/vectors/', 'https://gateway:8443/vectors/'],
    ['http://[::1]:6334', 'http://[::1]:6334/'],
  ])('%s is %s', async (url, shown) => {
    expect((await openQdrantStore({ url })).description).toBe(`Qdrant, ${shown}`);
  });

  test('a path in front of the API is kept', async () => {
    const behind = await openQdrantStore({ url: `${fake.url}/vectors/` });
    const gone = { status: 404, error: 'not here' };
    fake.failures.push(gone, gone);
    await behind.ping().catch(() => undefined);
    expect(fake.requests.at(-1)?.path).toBe('/vectors/collections');
  });

  test.each(['qdrant:6333', 'ftp://qdrant', ''])('%j is none', async (url) => {
    await expect(openQdrantStore({ url })).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});

/** Makes all requests from the nth on fail while `action` runs. */
async function failFrom<T>(
  nth: number,
  failure: { status: number; error: string },
  action: () => Promise<T>,
): Promise<T> {
  const before = fake.requests.length;
  const shift = fake.failures.shift.bind(fake.failures);
  fake.failures.shift = () => (fake.requests.length - before >= nth ? failure : shift());
  try {
    return await action();
  } finally {
    fake.failures.shift = shift;
  }
}
