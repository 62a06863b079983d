import { profileSchema, type Collection, type CollectionName } from '@embedmill/jobs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startFakeQdrant, type FakeQdrant } from './fake-qdrant.ts';
import { openQdrantStore } from './open-qdrant-store.ts';
import type { QdrantStore } from './qdrant-store.ts';

/** The storage of collections by settings and profiles, with the fake Qdrant. */
const COLLECTION: Collection = {
  name: 'docs',
  dims: 4,
  vector: 'dense',
  createdAt: '2026-01-01T00:00:00.000Z',
  profile: profileSchema.parse({ filterable: { tag: 'keyword', year: 'integer' } }),
};

let fake: FakeQdrant;
let store: QdrantStore;

beforeEach(async () => {
  fake = await startFakeQdrant();
  store = await openQdrantStore({ url: fake.url });
  await store.createCollection(COLLECTION);
});
afterEach(async () => {
  await fake.close();
  expect(fake.violations).toEqual([]);
});

describe('collections in Qdrant', () => {
  test('new ones are laid out for a cluster, or as is configured; what is there stays as it is', async () => {
    const created = () =>
      fake.requests.filter(({ method, path }) => method === 'put' && /^\/collections\/\w+$/.test(path));
    const usual = created()[0]?.body;
    expect(usual).toMatchObject({ replication_factor: 2, write_consistency_factor: 1 });
    for (const left of ['shard_number', 'hnsw_config', 'optimizers_config'])
      expect(usual).not.toHaveProperty(left);
    const layout = {
      shards: 6,
      replicas: 3,
      writeConsistency: 2,
      onDisk: true,
      optimizerThreads: 2,
      sharding: 'auto' as const,
      hnsw: { m: 0, efConstruct: 200, payloadM: 16 },
    };
    const other = await openQdrantStore({ url: fake.url, layout });
    fake.requests.length = 0;
    await other.createCollection(COLLECTION);
    expect(created()).toEqual([]);
    await other.createCollection({ ...COLLECTION, name: 'large' });
    expect(created()[0]?.body).toMatchObject({
      shard_number: 6,
      replication_factor: 3,
      write_consistency_factor: 2,
      vectors: { dense: { on_disk: true } },
      hnsw_config: { m: 0, ef_construct: 200, payload_m: 16 },
      optimizers_config: { max_optimization_threads: 2 },
    });
    const schemas = () =>
      fake.requests
        .filter(({ path }) => path.endsWith('/index'))
        .map(({ body }) => (body as { field_schema: { on_disk?: boolean } }).field_schema);
    expect(schemas().filter((schema) => schema.on_disk !== true)).toEqual([]);
    fake.requests.length = 0;
    await other.addField('large' as CollectionName, 'place', 'geo');
    expect(schemas()).toEqual([{ type: 'geo', on_disk: true }]);
  });

  test('one whose profile says how it is kept is kept so, whatever the settings say', async () => {
    const own = { shards: 2, replicas: 1, writeConsistency: 1, onDisk: true, hnswM: 0, hnswPayloadM: 16 };
    const profile = profileSchema.parse({ layout: own });
    const collection = { ...COLLECTION, name: 'own', profile };
    await store.createCollection(collection);
    expect(
      fake.requests.findLast(({ method, path }) => method === 'put' && path === '/collections/own')?.body,
    ).toMatchObject({
      shard_number: 2,
      replication_factor: 1,
      write_consistency_factor: 1,
      vectors: { dense: { on_disk: true } },
      hnsw_config: { m: 0, payload_m: 16 },
    });
    await store.addField('own' as CollectionName, 'place', 'geo');
    expect(fake.requests.findLast(({ path }) => path.endsWith('/index'))?.body).toMatchObject({
      field_schema: { type: 'geo', on_disk: true },
    });
    expect((await store.getCollection('own' as CollectionName))?.profile.layout).toEqual(own);
    const another = { ...collection, profile: profileSchema.parse({ layout: { ...own, shards: 3 } }) };
    await expect(store.createCollection(another)).rejects.toMatchObject({ code: 'collection_exists' });
  });
});
