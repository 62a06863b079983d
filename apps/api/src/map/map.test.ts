import { afterAll, beforeAll, expect, test } from 'vitest';
import { pointId, type CollectionName, type DocumentId, type TenantId } from '@embedmill/jobs';
import { testKeys } from '../access/test-keys.ts';
import type { MapPoints, MapState } from './collection-map.ts';
import { fakeVectors, NESTED } from '../testing/fake-worker.ts';
import { storedPayload } from '../testing/stored-payload.fixture.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;
const NAME = 'mapped' as CollectionName;
const PATH = `/api/v1/collections/${NAME}/map`;
const held: Record<'admin' | 'alpha' | 'beta', { authorization: string }> = {} as never;
const TOPICS = ['whales and captains of the sea', 'bread baked with butter', 'songs of a cold winter'];

beforeAll(async () => {
  const keys = await testKeys();
  const add = async (name: string, entry: object) => {
    const { authorization } = await keys.add({ name, scopes: ['search'], ...entry });
    return { authorization };
  };
  held.admin = await add('root', { scopes: ['admin'] });
  held.alpha = await add('alpha', { tenant: 'alpha' as TenantId });
  held.beta = await add('beta', { tenant: 'beta' as TenantId });
  api = await startTestApi({ config: { access: keys.access } });
  api.onClose(() => keys.remove());
  const profile = { model: NESTED.name };
  await api.json('POST', '/api/v1/collections', { name: NAME, profile }, held.admin);
  await store('alpha', 0, 45);
  await store('beta', 0, 12);
});
afterAll(() => api.close());

async function store(tenant: string, from: number, to: number): Promise<void> {
  const documents = Array.from({ length: to - from }, (_, n) => {
    const id = `${tenant}-${from + n}` as DocumentId;
    const text = TOPICS[(from + n) % 3] ?? '';
    const payload = storedPayload(id, text, {
      tenant: tenant as TenantId,
      metadata: { topic: (from + n) % 3 },
    });
    const dense = fakeVectors({ inputs: [text], role: 'document' }, NESTED.dims).vectors;
    const point = { id: pointId(tenant as TenantId, NAME, id, 0), dense, sparse: {}, payload };
    return { tenant: tenant as TenantId, id, sequence: 1, points: [point] };
  });
  await api.parts.store.replaceDocuments(NAME, documents);
}

async function computed(who: keyof typeof held, body: object): Promise<MapState> {
  const begun = await api.json('POST', PATH, body, held[who]);
  expect([begun.status, begun.body]).toMatchObject([202, { state: 'computing' }]);
  const state = async () => (await api.json('GET', PATH, undefined, held[who])).body as MapState;
  await expect.poll(async () => (await state()).state, { timeout: 120_000 }).not.toBe('computing');
  return state();
}

async function pointsOf(who: keyof typeof held): Promise<MapPoints> {
  return (await api.json('GET', `${PATH}/points`, undefined, held[who])).body;
}

test('a map has a place for each document, with the values of a field and the words of its clusters', async () => {
  expect((await api.json('GET', PATH, undefined, held.alpha)).body).toMatchObject({ state: 'none' });
  expect((await api.json('GET', `${PATH}/points`, undefined, held.alpha)).status).toBe(404);
  const state = await computed('alpha', { fields: ['topic'], method: 'umap' });
  expect(state).toMatchObject({ state: 'ready', progress: 1, points: 45, total: 45, fields: ['topic'] });
  const map = await pointsOf('alpha');
  expect(new Set(map.documents).size).toBe(45);
  for (const column of [map.points, map.x, map.y, map.cluster, map.chunks, map.values['topic']])
    expect(column).toHaveLength(45);
  expect(map.values['topic']?.[0]).toBe(Number(map.documents[0]?.split('-')[1]) % 3);
  expect(map.clusters.reduce((sum, { size }) => sum + size, 0)).toBe(45);
  const words = map.clusters.flatMap((cluster) => cluster.words);
  expect(words).toEqual(expect.arrayContaining(['whales', 'bread', 'songs']));
});

test('a tenant’s map has its own documents, and none of another tenant’s', async () => {
  expect((await api.json('GET', PATH, undefined, held.beta)).body).toMatchObject({ state: 'none' });
  expect((await api.json('GET', `${PATH}/points`, undefined, held.beta)).status).toBe(404);
  await computed('beta', { method: 'pca' });
  expect((await pointsOf('beta')).documents.every((id) => id.startsWith('beta-'))).toBe(true);
  expect(await computed('admin', { method: 'pca', points: 30 })).toMatchObject({ points: 29, total: 57 });
});

test('an update adds new documents and removes deleted ones, while all others stay in place', async () => {
  const before = await pointsOf('alpha');
  await store('alpha', 45, 51);
  const gone = { tenant: 'alpha' as TenantId, id: 'alpha-3' as DocumentId };
  await api.parts.store.deleteDocuments(NAME, [gone], 2);
  expect(await computed('alpha', { update: true })).toMatchObject({
    state: 'ready',
    points: 50,
    method: 'umap',
    fields: ['topic'],
  });
  const after = await pointsOf('alpha');
  expect(after.documents).not.toContain('alpha-3');
  const placeIn = (map: MapPoints, id: string) => {
    const at = map.documents.indexOf(id);
    return [map.x[at], map.y[at], map.cluster[at]];
  };
  for (const id of before.documents)
    if (id !== 'alpha-3') expect(placeIn(after, id)).toEqual(placeIn(before, id));
  expect(placeIn(after, 'alpha-50').every(Number.isFinite)).toBe(true);
  expect(after.values['topic']).toHaveLength(50);
});

test('a map whose process died is reported as failed and can be computed again', async () => {
  const { maps } = api.parts.spool;
  const collection = await api.parts.store.getCollection(NAME);
  const { body } = await api.json('GET', PATH, undefined, held.alpha);
  const kept = { ...(body as MapState), state: 'computing', at: Date.now() - 120_000 };
  await maps.keep(collection!, 'state', Buffer.from(JSON.stringify(kept)), 'alpha');
  expect((await api.json('GET', PATH, undefined, held.alpha)).body).toMatchObject({
    state: 'failed',
    error: expect.stringContaining('compute it again'),
  });
  expect(await computed('alpha', { method: 'pca' })).toMatchObject({ state: 'ready', error: null });
});
