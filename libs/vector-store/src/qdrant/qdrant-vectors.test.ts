import { profileSchema, type Collection, type CollectionName, type PointId } from '@embedmill/jobs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { documentOf, keyOf, near, sparse, unit } from '../conformance-documents.ts';
import { startFakeQdrant, type FakeQdrant } from './fake-qdrant.ts';
import { openQdrantStore } from './open-qdrant-store.ts';
import type { QdrantStore } from './qdrant-store.ts';

/** Storage and search of sparse, quantised and second vectors in QdrantStore, with the fake server. */
const NAME = 'docs' as CollectionName;
const COLLECTION: Collection = {
  name: NAME,
  dims: 4,
  vector: 'dense',
  createdAt: '2026-01-01T00:00:00.000Z',
  profile: profileSchema.parse({ sparse: { bm25: {}, splade: {} }, storage: 'int8' }),
};
const OTHER = { name: 'dense_2', model: 'another', dims: 3 };
const BROKEN = { status: 403, error: 'Forbidden' };

let fake: FakeQdrant;
let store: QdrantStore;

beforeEach(async () => {
  fake = await startFakeQdrant();
  store = await openQdrantStore({ url: fake.url, timeout: 5000 });
  await store.createCollection(COLLECTION);
});
afterEach(async () => {
  await fake.close();
  expect(fake.violations).toEqual([]);
});

/** Requests so far, without the collection's path; those from now on, once the list has been emptied. */
function sent(): string[] {
  return fake.requests.map(({ method, path }) => `${method} ${path.split('/').slice(3).join('/')}`.trim());
}

function bodyOf(method: string, end: string): unknown {
  return fake.requests.find((request) => request.method === method && request.path.endsWith(end))?.body;
}

const idOf = (id: string) => documentOf(NAME, id).points[0]?.id as PointId;

describe('vectors in Qdrant', () => {
  test('sparse ones are named by their schemes, with idf where it counts; dense ones are quantised as the profile says', async () => {
    expect(bodyOf('put', `/${NAME}`)).toMatchObject({
      vectors: { dense: { size: 4, distance: 'Cosine', on_disk: true } },
      sparse_vectors: { bm25: { modifier: 'idf' }, splade: {} },
      quantization_config: { scalar: { type: 'int8', quantile: 0.99, always_ram: true } },
    });
    await store.createCollection({
      ...COLLECTION,
      name: 'binary',
      profile: profileSchema.parse({ storage: 'binary' }),
    });
    const binary = bodyOf('put', '/binary');
    expect(binary).toMatchObject({ quantization_config: { binary: { always_ram: true } } });
    fake.requests.length = 0;
    await store.search('binary' as CollectionName, { vector: near(unit(4, 0)), limit: 1, offset: 0 });
    expect(bodyOf('post', '/query')).toMatchObject({ params: { quantization: { oversampling: 4 } } });
    expect((await store.report()).remarks).toEqual([expect.stringMatching(/binary with 4 numbers/)]);
    expect(binary).not.toHaveProperty('sparse_vectors');
    await store.createCollection({ ...COLLECTION, name: 'plain', profile: profileSchema.parse({}) });
    expect(bodyOf('put', '/plain')).not.toHaveProperty('quantization_config');
  });

  test('quantised ones are scored anew by the whole ones; sparse ones are not', async () => {
    fake.requests.length = 0;
    await store.search(NAME, { vector: near(unit(4, 0)), limit: 1, offset: 0 });
    await store.search(NAME, {
      vector: { kind: 'sparse', scheme: 'bm25', values: sparse({ 3: 1 }) },
      limit: 1,
      offset: 0,
    });
    const [dense, terms] = fake.requests.map((request) => request.body);
    expect(dense).toMatchObject({
      using: 'dense',
      params: { quantization: { rescore: true, oversampling: 2 } },
    });
    expect(terms).toMatchObject({ using: 'bm25', query: { indices: [3], values: [1] } });
    expect(terms).not.toHaveProperty('params');
  });

  test('a point has no vector of a scheme that finds no term in it', async () => {
    await store.replaceDocuments(NAME, [
      documentOf(NAME, 'a', { sparse: [{ bm25: sparse({}), splade: sparse({ 1: 2 }) }] }),
    ]);
    expect(bodyOf('put', '/points')).toMatchObject({
      points: [{ vector: { dense: [1, 0, 0, 0], splade: { indices: [1], values: [2] } } }],
    });
    expect(JSON.stringify(bodyOf('put', '/points'))).not.toContain('bm25');
  });

  test('what 130 terms are multiplied by is asked in three requests', async () => {
    await store.replaceDocuments(NAME, [
      documentOf(NAME, 'a', { sparse: [{ bm25: sparse({ 3: 0.5, 129: 2 }) }] }),
    ]);
    fake.requests.length = 0;
    const factors = await store.termFactors(
      NAME,
      'bm25',
      Uint32Array.from({ length: 130 }, (_, term) => term),
    );
    expect(sent()).toEqual(Array.from({ length: 3 }, () => 'post points/query/batch'));
    const idf = Math.log(1 + 0.5 / 1.5);
    expect(factors[3]).toBeCloseTo(idf, 5);
    expect(factors[129]).toBeCloseTo(idf, 5);
    expect(factors.filter((factor) => factor > 0).length).toBe(2);
  });
});

describe('searches in Qdrant', () => {
  const written = async (count: number) => {
    const documents = Array.from({ length: count }, (_, i) =>
      documentOf(NAME, `d${i}`, { vectors: [[1, i / 1000, 0, 0]], sparse: [{ bm25: sparse({ 3: 1 + i }) }] }),
    );
    await store.replaceDocuments(NAME, documents);
    fake.requests.length = 0;
    return documents.flatMap(({ points }) => points.map(({ id }) => id));
  };

  test('several at once are one request, without payloads', async () => {
    await written(30);
    const page = { limit: 10, offset: 0 };
    const lists = await store.rank(NAME, [
      { ...page, vector: near(unit(4, 0)) },
      { ...page, vector: { kind: 'sparse', scheme: 'bm25', values: sparse({ 3: 1 }) } },
      { ...page, vector: { kind: 'sparse', scheme: 'splade', values: sparse({}) } },
    ]);
    expect(lists.map((list) => list.length)).toEqual([10, 10, 0]);
    expect(sent()).toEqual(['post points/query/batch']);
    expect(bodyOf('post', '/query/batch')).toMatchObject({
      searches: [
        { using: 'dense', limit: 11, with_payload: false },
        { using: 'bm25', limit: 11, with_payload: false },
      ],
    });
  });

  test('what is near to 130 points is asked in three requests, by ids and from the threshold on', async () => {
    const ids = await written(130);
    await store.findNear(NAME, ids, { threshold: 0.9, limit: 200 });
    expect(sent()).toEqual(Array.from({ length: 3 }, () => 'post points/query/batch'));
    expect(bodyOf('post', '/query/batch')).toMatchObject({
      searches: Array.from({ length: 64 }, (_, n) => ({
        query: ids[n],
        using: 'dense',
        score_threshold: 0.9,
        with_payload: false,
      })),
    });
  });
});

describe('a second vector in Qdrant', () => {
  test('is added to those points only that are there and have none', async () => {
    await store.updateCollection({ ...COLLECTION, other: OTHER });
    await store.replaceDocuments(NAME, [documentOf(NAME, 'a')]);
    fake.requests.length = 0;
    await store.addVectors(NAME, [
      { id: idOf('a'), values: unit(3, 0) },
      { id: idOf('missing'), values: unit(3, 1) },
    ]);
    expect(sent()).toEqual(['post points', 'put points/vectors']);
    expect(bodyOf('put', '/points/vectors')).toEqual({
      points: [{ id: idOf('a'), vector: { dense_2: [1, 0, 0] } }],
      update_filter: {
        must: [
          { must_not: [{ key: 'chunk_count', match: { value: 0 } }] },
          { must_not: [{ has_vector: 'dense_2' }] },
        ],
      },
    });
  });

  test('reaches the others when one of the points is deleted meanwhile', async () => {
    await store.updateCollection({ ...COLLECTION, other: OTHER });
    await store.replaceDocuments(NAME, [documentOf(NAME, 'a'), documentOf(NAME, 'b')]);
    fake.requests.length = 0;
    const shift = fake.failures.shift.bind(fake.failures);
    // Qdrant's response if a point was deleted between the look-up and the update.
    fake.failures.shift = () =>
      fake.requests.length === 2 ? { status: 404, error: `Not found: No point with id x found` } : shift();
    await store.addVectors(
      NAME,
      ['a', 'b'].map((id) => ({ id: idOf(id), values: unit(3, 0) })),
    );
    const points = await store.getPoints(NAME, [keyOf('a'), keyOf('b')]);
    expect(points.map((point) => point.other)).toEqual([unit(3, 0), unit(3, 0)]);
  });

  test('a change that was cut short is finished by the next one', async () => {
    const migrating = { ...COLLECTION, other: OTHER };
    fake.requests.length = 0;
    await expect(failAt(4, () => store.updateCollection(migrating))).rejects.toMatchObject({
      code: 'store_rejected',
    });
    expect(sent()).toEqual(['get', 'put vectors/dense_2', 'patch', 'patch']);
    expect((await store.getCollection(NAME))?.other).toBeUndefined();
    fake.requests.length = 0;
    await store.updateCollection(migrating);
    // Existing vectors may come from another model whose migration ended.
    expect(sent()).toEqual(['get', 'delete vectors/dense_2', 'put vectors/dense_2', 'patch', 'patch']);
    expect(bodyOf('patch', `/${NAME}`)).toEqual({ vectors: { dense_2: { on_disk: true } } });
    expect(await store.getCollection(NAME)).toEqual(migrating);

    fake.requests.length = 0;
    await expect(failAt(5, () => store.updateCollection(COLLECTION))).rejects.toMatchObject({
      code: 'store_rejected',
    });
    expect((await store.getCollection(NAME))?.other).toBeUndefined();
    fake.requests.length = 0;
    await store.updateCollection(COLLECTION);
    expect(sent()).toEqual(['get', 'patch', 'post points/count', 'delete vectors/dense_2']);
  });

  test('that a writer knows and is gone in the meantime makes him try again', async () => {
    const migrating = { ...COLLECTION, other: OTHER };
    await store.updateCollection(migrating);
    const writer = await openQdrantStore({ url: fake.url });
    await writer.countPoints(NAME);
    const exchanged: Collection = {
      ...COLLECTION,
      vector: 'dense_2',
      dims: 3,
      profile: { ...COLLECTION.profile, model: 'another' },
    };
    await store.updateCollection({
      ...exchanged,
      other: { name: 'dense', model: COLLECTION.profile.model, dims: 4 },
    });
    await store.updateCollection(exchanged);
    const write = writer.replaceDocuments(NAME, [documentOf(NAME, 'a')], migrating);
    await expect(write).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
  });
});

/** Makes the nth request from now on fail permanently. */
async function failAt<T>(nth: number, action: () => Promise<T>): Promise<T> {
  const before = fake.requests.length;
  const shift = fake.failures.shift.bind(fake.failures);
  fake.failures.shift = () => (fake.requests.length - before === nth ? BROKEN : shift());
  try {
    return await action();
  } finally {
    fake.failures.shift = shift;
  }
}
