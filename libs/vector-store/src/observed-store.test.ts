import { afterEach, beforeEach, expect, test } from 'vitest';
import { profileSchema, type Collection, type CollectionName } from '@embedmill/jobs';
import type { StoreCall } from './observed-store.ts';
import { openStore } from './open-store.ts';
import { startFakeQdrant, type FakeQdrant } from './qdrant/fake-qdrant.ts';
import type { VectorStore } from './store.ts';

let qdrant: FakeQdrant;
let store: VectorStore;
let calls: StoreCall[];
let throttled: number;

beforeEach(async () => {
  [calls, throttled] = [[], 0];
  qdrant = await startFakeQdrant();
  store = await openStore({
    qdrantUrl: qdrant.url,
    socket: '/unused',
    observer: { onCall: (call) => void calls.push(call), onThrottled: () => (throttled += 1) },
  });
});
afterEach(async () => {
  await store.close();
  await qdrant.close();
});

const collection: Collection = {
  name: 'docs',
  profile: profileSchema.parse({}),
  dims: 384,
  vector: 'dense',
  createdAt: new Date(0).toISOString(),
};
const name = collection.name as CollectionName;
const outcomes = () => calls.map(({ operation, outcome }) => `${operation} ${outcome}`);

test('each call is told with how it ended and how long it took; pings are not', async () => {
  await store.ping();
  await store.createCollection(collection);
  expect(await store.countPoints(name)).toBe(0);
  await expect(store.countPoints('none' as CollectionName)).rejects.toMatchObject({
    code: 'collection_not_found',
  });
  expect(outcomes()).toEqual(['define ok', 'read ok', 'read rejected']);
  for (const { seconds } of calls) expect(seconds).toBeGreaterThan(0);
  expect(throttled).toBe(0);
});

test('a throttled request is told though the call succeeds', async () => {
  await store.createCollection(collection);
  qdrant.failures.push({ status: 429, error: 'too many', headers: { 'retry-after': '0' } });
  expect(await store.countPoints(name)).toBe(0);
  expect(throttled).toBe(1);
  expect(outcomes().at(-1)).toBe('read ok');
});

test('an unavailable store is reported as unavailable', async () => {
  await qdrant.close();
  await expect(store.listCollections()).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(outcomes()).toEqual(['define unavailable']);
  qdrant = await startFakeQdrant();
});
