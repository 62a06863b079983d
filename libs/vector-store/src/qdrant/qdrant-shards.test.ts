import {
  profileSchema,
  USUAL_QDRANT,
  type Collection,
  type CollectionName,
  type TenantId,
} from '@embedmill/jobs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { documentOf, keyOf, near, unit } from '../conformance-documents.ts';
import { startFakeQdrant, type FakeQdrant } from './fake-qdrant.ts';
import { openQdrantStore } from './open-qdrant-store.ts';

/** The shards of tenants' points in collections sharded by key, with the fake Qdrant. */
const NAME = 'docs' as CollectionName;
const COLLECTION: Collection = {
  name: NAME,
  dims: 4,
  vector: 'dense',
  createdAt: '2026-01-01T00:00:00.000Z',
  profile: profileSchema.parse({}),
};
const LARGE = 'acme' as TenantId;
const SMALL = 'corner' as TenantId;
const layout = { ...USUAL_QDRANT.layout, sharding: 'custom' as const };

let fake: FakeQdrant;
beforeEach(async () => {
  fake = await startFakeQdrant();
});
afterEach(async () => {
  await fake.close();
  expect(fake.violations).toEqual([]);
});

const open = (largeTenants: string[] = [LARGE]) => openQdrantStore({ url: fake.url, layout, largeTenants });
const shape = (tenant: string) => ({ tenant, vectors: [unit(4, 0)] });

/** The shard selections of requests to a path. */
function shardsIn(path: string): unknown[] {
  return fake.requests
    .filter((request) => request.path === `/collections/${NAME}${path}`)
    .map(({ body }) => (body as { shard_key?: unknown } | undefined)?.shard_key);
}

async function keys(): Promise<unknown[]> {
  const answer = await fetch(`${fake.url}/collections/${NAME}/shards`);
  const { result } = (await answer.json()) as { result: { shard_keys: { key: unknown }[] } };
  return result.shard_keys.map(({ key }) => key);
}

describe('in a collection that is sharded by keys', () => {
  test('a large tenant gets a key with its first document; small ones share one', async () => {
    const store = await open();
    await store.createCollection(COLLECTION);
    expect(await keys()).toEqual([0]);
    await store.replaceDocuments(NAME, [documentOf(NAME, 'a', shape(SMALL))]);
    expect(await keys()).toEqual([0]);
    await store.replaceDocuments(NAME, [documentOf(NAME, 'a', shape(LARGE))]);
    expect(await keys()).toEqual([0, LARGE]);
    expect(new Set(shardsIn('/points').map((one) => JSON.stringify(one)))).toEqual(
      new Set([SMALL, LARGE].map((target) => JSON.stringify({ target, fallback: 0 }))),
    );
    expect(await store.countPoints(NAME, LARGE)).toBe(1);
    expect(await store.countPoints(NAME)).toBe(2);
  });

  test('a search for a tenant names its shards; one over all tenants names none', async () => {
    const store = await open();
    await store.createCollection(COLLECTION);
    const documents = [SMALL, LARGE].map((tenant) => documentOf(NAME, 'a', shape(tenant)));
    await store.replaceDocuments(NAME, documents);
    fake.requests.length = 0;
    const search = { vector: near(unit(4, 0)), limit: 10, offset: 0 };
    const found = await store.search(NAME, { ...search, tenant: LARGE });
    expect(found.map(({ payload }) => payload.tenant)).toEqual([LARGE]);
    expect(shardsIn('/points/query')).toEqual([{ target: LARGE, fallback: 0 }]);
    fake.requests.length = 0;
    expect(await store.search(NAME, search)).toHaveLength(2);
    expect(shardsIn('/points/query')).toEqual([undefined]);
  });

  test('twenty that write a large tenant’s first documents at once make one key, and lose nothing', async () => {
    const stores = await Promise.all(Array.from({ length: 20 }, () => open()));
    await stores[0]?.createCollection(COLLECTION);
    await Promise.all(
      stores.map((store, n) => store.replaceDocuments(NAME, [documentOf(NAME, `d${n}`, shape(LARGE))])),
    );
    expect(await keys()).toEqual([0, LARGE]);
    expect(await stores[1]?.countPoints(NAME, LARGE)).toBe(20);
  });

  test('a tenant that has points under the shared key is found there until it is promoted', async () => {
    const before = await open([]);
    await before.createCollection(COLLECTION);
    await before.replaceDocuments(NAME, [documentOf(NAME, 'old', shape(LARGE))]);
    const after = await open([LARGE]);
    await after.replaceDocuments(NAME, [documentOf(NAME, 'new', shape(LARGE))]);
    expect(await keys()).toEqual([0]);
    expect(await before.countPoints(NAME, LARGE)).toBe(2);
  });

  test('a deletion of a large tenant’s document that was never there leaves its tombstone under the tenant’s key', async () => {
    const store = await open();
    await store.createCollection(COLLECTION);
    await store.deleteDocuments(NAME, [keyOf('gone', LARGE)], 7);
    expect(await keys()).toEqual([0, LARGE]);
    const late = documentOf(NAME, 'gone', { ...shape(LARGE), sequence: 6 });
    expect(await store.replaceDocuments(NAME, [late])).toHaveLength(1);
    expect(await store.countPoints(NAME, LARGE)).toBe(0);
    expect(await store.purgeTombstones(NAME, 8)).toBe(1);
  });

  test('a process whose settings say nothing of keys writes and finds there, too', async () => {
    const store = await open();
    await store.createCollection(COLLECTION);
    const auto = await openQdrantStore({ url: fake.url });
    await auto.createCollection(COLLECTION);
    await auto.replaceDocuments(NAME, [documentOf(NAME, 'a', shape(SMALL))]);
    expect(await store.countPoints(NAME, SMALL)).toBe(1);
  });
});

test('collections of before stay as they are, and name no keys', async () => {
  const auto = await openQdrantStore({ url: fake.url });
  await auto.createCollection(COLLECTION);
  const store = await open();
  await store.replaceDocuments(NAME, [documentOf(NAME, 'a', shape(LARGE))]);
  expect(shardsIn('/points').every((one) => one === undefined)).toBe(true);
  expect(await store.countPoints(NAME, LARGE)).toBe(1);
});

test('a server that is not in distributed mode is told apart before anything is made', async () => {
  const alone = await startFakeQdrant({ isDistributed: false });
  try {
    const store = await openQdrantStore({ url: alone.url, layout });
    await expect(store.createCollection(COLLECTION)).rejects.toMatchObject({
      code: 'store_rejected',
      message: expect.stringContaining('EMBEDMILL_QDRANT_SHARDING=custom') as string,
    });
    expect(await store.listCollections()).toEqual([]);
  } finally {
    await alone.close();
  }
});
