import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  DEFAULT_TENANT,
  isFinished,
  pointId,
  type CollectionName,
  type DocumentId,
  type Hit,
  type Job,
} from '@embedmill/jobs';
import { cosine } from '@embedmill/retrieval';
import { fakeVectors, MINI, NESTED } from '../testing/fake-worker.ts';
import { storedPayload } from '../testing/stored-payload.fixture.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

/** Migrations with a real embedded store and dispatcher, without a worker: the test adds what a worker would. */
let api: TestApi;

beforeAll(async () => {
  api = await startTestApi();
  await api.dispatch();
});
afterAll(() => api.close());

const vectorOf = (text: string, dims: number) =>
  fakeVectors({ inputs: [text], role: 'document' }, dims).vectors;

/** A collection of documents with two chunks each; the last one lacks its first chunk. */
async function collectionOf(name: string, documents: number): Promise<CollectionName> {
  const created = await api.json('POST', '/api/v1/collections', { name, profile: { model: NESTED.name } });
  expect(created.status).toBe(201);
  const collection = name as CollectionName;
  const written = Array.from({ length: documents }, (_, n) => {
    const id = `d${n}` as DocumentId;
    const points = [0, 1].map((index) => ({
      id: pointId(DEFAULT_TENANT, collection, id, index),
      dense: vectorOf(`${id} ${index}`, NESTED.dims),
      payload: storedPayload(id, `${id} ${index}`, {
        chunk_index: index,
        chunk_count: 2,
        start: 10 * index,
        end: 10 * index + 4,
      }),
    }));
    return {
      tenant: DEFAULT_TENANT,
      id,
      sequence: 1,
      points: n === documents - 1 ? points.slice(1) : points,
    };
  });
  await api.parts.store.replaceDocuments(collection, written);
  return collection;
}

const route = (name: string, rest = '') => `/api/v1/collections/${name}/migration${rest}`;
const begin = async (name: string, model = MINI.name): Promise<Job> => {
  const { status, body } = await api.json('POST', route(name), { model });
  expect(status).toBe(202);
  return (body as { job: Job }).job;
};
const exchange = (name: string) => api.json('POST', route(name, '/exchange'));
const end = (name: string) => api.json('DELETE', route(name));

async function until(job: Job, holds: (job: Job) => boolean): Promise<Job> {
  for (const deadline = Date.now() + 90_000; Date.now() < deadline; await setTimeout(20)) {
    const { body } = await api.json('GET', `/api/v1/jobs/${job.id}`);
    if (holds(body)) return body;
  }
  throw new Error(`job ${job.id} did not get there`);
}

async function cancelled(job: Job): Promise<Job> {
  await until(job, ({ state }) => state === 'running');
  expect((await api.json('POST', `/api/v1/jobs/${job.id}/cancel`)).status).toBeLessThan(300);
  return until(job, ({ state }) => isFinished(state));
}

/** Adds vectors, as a worker would, to this many of the points that lack them. */
async function addMissing(name: CollectionName, most = Infinity): Promise<void> {
  const { store } = api.parts;
  const { other } = (await store.getCollection(name))!;
  const points = await store.scanPoints(name, { limit: 1000 });
  const missing = points.filter((point) => point.other === undefined).slice(0, most);
  await store.addVectors(
    name,
    missing.map(({ id, payload }) => ({ id, values: vectorOf(payload.text, other!.dims) })),
  );
}

test('a collection without documents migrates at once', async () => {
  await api.json('POST', '/api/v1/collections', { name: 'empty', profile: { model: NESTED.name } });
  const job = await until(await begin('empty'), ({ state }) => isFinished(state));
  expect(job).toMatchObject({ state: 'completed', documents: 0, failed: 0 });
  expect(await exchange('empty')).toMatchObject({ status: 200, body: { profile: { model: MINI.name } } });
});

test('a migration that was cancelled at once is neither exchanged nor, exchanged, ended; nothing is lost', async () => {
  const name = await collectionOf('cut', 5);
  const job = await begin(name);
  for (const call of [exchange, end])
    expect(await call(name)).toMatchObject({ status: 409, body: { code: 'migration_state' } });
  // The document without a first chunk is among them.
  expect(await cancelled(job)).toMatchObject({ state: 'cancelled', documents: 5 });

  const refused = await exchange(name);
  expect(refused).toMatchObject({ status: 409, body: { code: 'migration_state' } });
  const { detail } = refused.body as { detail: string };
  expect(detail).toContain('9 points of "cut" lack the vector of all-MiniLM-L6-v2');
  expect(detail).toContain('embedmill migrate cut --to all-MiniLM-L6-v2');
  await addMissing(name, 8);
  expect(((await exchange(name)).body as { detail: string }).detail).toContain('1 point of "cut" lacks');

  // If begun again, it is the same migration, and its job has all documents.
  expect((await cancelled(await begin(name))).documents).toBe(5);
  await addMissing(name);
  expect(await exchange(name)).toMatchObject({ status: 200, body: { dims: MINI.dims, points: 9 } });
});

test('it can be given up, cut over and back, and ended once', async () => {
  const name = await collectionOf('turning', 4);
  await cancelled(await begin(name));
  expect(await end(name)).toMatchObject({ status: 200, body: { dims: NESTED.dims, points: 7 } });
  await cancelled(await begin(name));
  await addMissing(name);
  for (const dims of [MINI.dims, NESTED.dims, MINI.dims])
    expect(await exchange(name)).toMatchObject({ status: 200, body: { dims, points: 7 } });
  expect(await end(name)).toMatchObject({ status: 200, body: { dims: MINI.dims, points: 7 } });
  for (const call of [end, exchange])
    expect(await call(name)).toMatchObject({ status: 409, body: { code: 'migration_state' } });
});

test('it is not rolled back while points lack the former vector; a migration to the former model adds it', async () => {
  const name = await collectionOf('back', 3);
  await cancelled(await begin(name));
  await addMissing(name);
  await exchange(name);
  const id = 'new' as DocumentId;
  const [like] = await api.parts.store.scanPoints(name, { limit: 1 });
  await api.parts.store.replaceDocuments(name, [
    {
      tenant: DEFAULT_TENANT,
      id,
      sequence: 1,
      points: [
        {
          id: pointId(DEFAULT_TENANT, name, id, 0),
          dense: vectorOf('new', MINI.dims),
          payload: { ...like!.payload, document_id: id, chunk_index: 0, chunk_count: 1 },
        },
      ],
    },
  ]);
  const refused = await exchange(name);
  expect(refused.status).toBe(409);
  expect((refused.body as { detail: string }).detail).toContain(`embedmill migrate back --to ${NESTED.name}`);
  await cancelled(await begin(name, NESTED.name));
  await addMissing(name);
  expect(await exchange(name)).toMatchObject({ status: 200, body: { dims: NESTED.dims, points: 6 } });
});

test('of two concurrent changes, one is refused', async () => {
  const name = await collectionOf('race', 2);
  await cancelled(await begin(name));
  await addMissing(name);
  const { store } = api.parts;
  const known = (await store.getCollection(name))!;
  await exchange(name);
  const late = store.updateCollection({ ...known, other: undefined }, known);
  await expect(late).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
  expect(await store.countPoints(name)).toBe(3);
});

test('either side is searched by its vector’s name, with its own model, and the one that is used without a name', async () => {
  const name = await collectionOf('sides', 4);
  await cancelled(await begin(name));
  await addMissing(name);
  await api.answerQueries();
  const query = 'which of them is it';
  const stored = (await api.parts.store.scanPoints(name, { limit: 100 })).map(({ payload }) => payload.text);
  const nearest = (dims: number) => {
    const { vectors } = fakeVectors({ inputs: [query], role: 'query' }, dims);
    const scored = stored.map((text) => ({ text, score: cosine(vectors, vectorOf(text, dims)) }));
    return scored.toSorted((a, b) => b.score - a.score).map(({ text }) => text);
  };
  const search = (body: object) =>
    api.json('POST', `/api/v1/collections/${name}/search`, { query, limit: 100, ...body });
  const found = async (body: object) =>
    ((await search(body)).body as { hits: Hit[] }).hits.map(({ text }) => text);
  expect(await found({})).toEqual(nearest(NESTED.dims));
  expect(await found({ vector: 'dense' })).toEqual(nearest(NESTED.dims));
  expect(await found({ vector: 'dense_2' })).toEqual(nearest(MINI.dims));
  expect(nearest(MINI.dims)).not.toEqual(nearest(NESTED.dims));
  await exchange(name);
  expect(await found({})).toEqual(nearest(MINI.dims));
  expect(await found({ vector: 'dense' })).toEqual(nearest(NESTED.dims));
  for (const [body, path] of [
    [{ vector: 'dense', rerank: true }, 'rerank'],
    [{ vector: 'dense', mode: 'sparse' }, 'vector'],
    [{ vector: 'dense_3' }, 'vector'],
  ] as const)
    expect(await search(body), JSON.stringify(body)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', errors: [{ path }] },
    });
});
