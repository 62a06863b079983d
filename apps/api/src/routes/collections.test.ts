import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  ANALYSIS_VERSION,
  DEFAULT_TENANT,
  pointId,
  type CollectionName,
  type DocumentId,
  type Job,
} from '@embedmill/jobs';
import { ModelConsumer } from '@embedmill/queue';
import { MINI } from '../testing/fake-worker.ts';
import { storedPayload } from '../testing/stored-payload.fixture.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

const create = (body: unknown) => api.json('POST', '/api/v1/collections', body);

test('a collection takes a default profile and its model’s size, and its model is announced', async () => {
  const { status, body } = await create({ name: 'plain' });
  expect(status).toBe(201);
  expect(body).toEqual({
    name: 'plain',
    analysis: ANALYSIS_VERSION,
    profile: {
      model: MINI.name,
      chunking: { mode: 'tokens', overlap: 32, boundary: 'content' },
      filterable: {},
      storage: 'float32',
      sparse: {},
      video: { intervalSeconds: 5, maxFrames: 500 },
    },
    dims: 384,
    vector: 'dense',
    points: 0,
    documents: 0,
    createdAt: expect.stringMatching(/Z$/),
  });
  expect(await api.json('GET', '/api/v1/collections/plain')).toMatchObject({ status: 200, body });
  const listed = await api.json('GET', '/api/v1/collections');
  expect((listed.body as { collections: unknown[] }).collections).toContainEqual(body);
  const worker = await ModelConsumer.open({
    redisUrl: api.redisUrl,
    shardConcurrency: 1,
    queryConcurrency: 1,
    lockMs: 5000,
    onError: () => {},
  });
  api.onClose(() => worker.close());
  expect(await worker.modelsInUse()).toContain(MINI.name);
});

test('binary storage of short vectors causes a warning', async () => {
  const warnings = () => api.logged.filter((line) => line.includes('binary vectors this short'));
  expect(await create({ name: 'bytes', profile: { storage: 'int8' } })).toMatchObject({ status: 201 });
  expect(warnings()).toEqual([]);
  expect(await create({ name: 'bits', profile: { storage: 'binary' } })).toMatchObject({ status: 201 });
  expect(warnings().map((line) => JSON.parse(line) as object)).toEqual([
    expect.objectContaining({ collection: 'bits', dims: 384 }),
  ]);
});

test('how Qdrant is to keep a collection is refused where another store would keep it', async () => {
  const { status, body } = await create({ name: 'laid-out', profile: { layout: { shards: 6 } } });
  expect(status).toBe(422);
  expect(body).toMatchObject({ code: 'invalid_profile', errors: [{ path: 'profile/layout' }] });
  expect(await api.json('GET', '/api/v1/collections/laid-out')).toMatchObject({ status: 404 });
  const wrong = await create({ name: 'laid-out', profile: { layout: { shards: 0 } } });
  expect(wrong).toMatchObject({ status: 400 });
});

test('sparse vectors take models of their kind, which are announced; BM42 a model that gives attention', async () => {
  const sparse = { bm25: {}, bm42: { language: 'german' }, splade: {} };
  const { status, body } = await create({ name: 'sparse', profile: { sparse } });
  expect(status).toBe(201);
  expect(body).toMatchObject({
    profile: {
      sparse: {
        bm25: { k1: 1.2, b: 0.75, language: 'english' },
        bm42: { language: 'german' },
        splade: { model: 'splade-tiny', maxTerms: 256 },
      },
    },
  });
  expect(await create({ name: 'no', profile: { model: 'nested', sparse: { bm42: {} } } })).toMatchObject({
    status: 422,
    body: { code: 'invalid_profile', detail: expect.stringContaining(MINI.name) as string },
  });
  const wrong = { sparse: { splade: { model: 'nested' } } };
  expect(await create({ name: 'no', profile: wrong })).toMatchObject({
    status: 404,
    body: { code: 'model_not_found', errors: [{ path: 'profile/sparse/splade/model' }] },
  });
  expect(await create({ name: 'no', profile: { model: 'judge' } })).toMatchObject({ status: 404 });
});

test('vectors may be smaller where the model was trained for it', async () => {
  const { body } = await create({ name: 'small', profile: { model: 'nested', dims: 4 } });
  expect(body).toMatchObject({ dims: 4 });
  expect(await create({ name: 'no', profile: { model: 'nested', dims: 3 } })).toMatchObject({
    status: 400,
    body: { code: 'dimensions_not_allowed', detail: expect.stringContaining('2, 8') as string },
  });
});

test('chunk borders are chosen by content, unless an existing collection has another setting', async () => {
  const boundaryOf = ({ body }: { body: unknown }) =>
    (body as { profile: { chunking: { boundary: string } } }).profile.chunking.boundary;
  expect(boundaryOf(await create({ name: 'newer' }))).toBe('content');
  const older = { chunking: { mode: 'tokens', overlap: 32, boundary: 'sentence' } };
  expect((await create({ name: 'older', profile: older })).status).toBe(201);
  const again = await create({ name: 'older' });
  expect(again.status).toBe(200);
  expect(boundaryOf(again)).toBe('sentence');
  const other = { chunking: { mode: 'tokens', overlap: 32, boundary: 'content' } };
  expect((await create({ name: 'older', profile: other })).status).toBe(409);
});

test('creating it again gives the same one; with another profile it is refused', async () => {
  const profile = { filterable: { year: 'integer' } };
  const first = await create({ name: 'again', profile });
  const second = await create({ name: 'again', profile });
  expect(second).toMatchObject({ status: 200, body: first.body });
  const other = await create({ name: 'again', profile: { filterable: { year: 'float' } } });
  expect(other).toMatchObject({ status: 409, body: { code: 'collection_exists' } });
});

test('an unknown model is refused with the ones there are', async () => {
  const { status, body } = await create({ name: 'models', profile: { model: 'gpt-9' } });
  expect(status).toBe(404);
  expect(body).toMatchObject({ code: 'model_not_found', errors: [{ path: 'profile/model' }] });
  expect((body as { detail: string }).detail).toContain('all-MiniLM-L6-v2, nested');
});

test.each([
  [{ mode: 'tokens', size: 512 }, 422, 'profile/chunking/size'],
  [{ mode: 'tokens', size: 64, overlap: 64 }, 422, 'profile/chunking/overlap'],
  [{ mode: 'tokens', overlap: 256 }, 422, 'profile/chunking/overlap'],
  [{ mode: 'tokens', size: 'large' }, 400, 'profile/chunking/size'],
  [{ mode: 'pages' }, 400, 'profile/chunking/mode'],
  [{ mode: 'document', size: 64 }, 400, 'profile/chunking/size'],
])('chunking %o is refused with %i at %s', async (chunking, status, path) => {
  const refused = await create({ name: 'chunks', profile: { chunking } });
  expect(refused).toMatchObject({ status, body: { errors: [{ path }] } });
});

test.each([
  [{}, 'name'],
  [{ name: '../etc' }, 'name'],
  [{ name: 'a', profile: { filterable: { year: 'number' } } }, 'profile/filterable/year'],
  [{ name: 'a', profile: { filterable: { 'a b': 'float' } } }, 'profile/filterable/a b'],
  [{ name: 'a', colour: 'red' }, 'colour'],
])('the request %o is refused at %s', async (request, path) => {
  const { status, body } = await create(request);
  expect(status).toBe(400);
  expect(body).toMatchObject({
    code: 'invalid_request',
    title: 'The request is not valid',
    retryable: false,
  });
  expect((body as { errors: { path: string }[] }).errors.map((error) => error.path)).toEqual([path]);
});

test.each([
  ['POST', '/api/v1/collections', '{"name":', 400, 'invalid_json'],
  ['POST', '/api/v1/collections', '{"name":"a","__proto__":{}}', 400, 'invalid_json'],
  ['POST', '/api/v1/collections', undefined, 400, 'invalid_request'],
  ['GET', '/api/v1/collections/none', undefined, 404, 'collection_not_found'],
  ['GET', '/api/v1/collections/..%2F..', undefined, 404, 'collection_not_found'],
  ['DELETE', '/api/v1/collections/none', undefined, 404, 'collection_not_found'],
  ['DELETE', '/api/v1/collections/none/documents/a', undefined, 404, 'collection_not_found'],
  ['GET', '/api/v1/nothing?secret=1', undefined, 404, 'not_found'],
  ['PUT', '/api/v1/collections', undefined, 404, 'not_found'],
])('%s %s with %s gives %i %s', async (method, path, body, status, code) => {
  const sent = body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } };
  const response = await api.call(path, { method, ...sent });
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  const problem = await response.json();
  expect(problem).toMatchObject({
    status,
    code,
    type: `urn:embedmill:error:${code}`,
    instance: path.split('?')[0],
  });
  expect(response.status).toBe(status);
});

test('documents are deleted one by one, for their tenant', async () => {
  await create({ name: 'single', profile: { model: 'nested' } });
  const name = 'single' as CollectionName;
  const write = (id: string, tenant = DEFAULT_TENANT) => {
    const document = id as DocumentId;
    const payload = storedPayload(document, 't', { tenant });
    const point = {
      id: pointId(tenant, name, document, 0),
      dense: new Float32Array(8).fill(8 ** -0.5),
      payload,
    };
    return api.parts.store.replaceDocuments(name, [{ tenant, id: document, sequence: 1, points: [point] }]);
  };
  await write('a/b c');
  await write('a/b c', 'other' as typeof DEFAULT_TENANT);
  await write('kept');
  const points = async () => (await api.json('GET', '/api/v1/collections/single')).body as { points: number };
  expect(await points()).toMatchObject({
    points: 3,
    documents: 3,
    tenants: [
      { tenant: DEFAULT_TENANT, documents: 2 },
      { tenant: 'other', documents: 1 },
    ],
    sources: [{ source: null, documents: 3 }],
  });
  const path = `/api/v1/collections/single/documents/${encodeURIComponent('a/b c')}`;
  expect((await api.json('DELETE', path)).status).toBe(204);
  expect(await points()).toMatchObject({ points: 2, documents: 2 });
  expect((await api.json('DELETE', `${path}?tenant=other`)).status).toBe(204);
  expect((await api.json('DELETE', `${path}?tenant=other`)).status).toBe(204);
  expect(await points()).toMatchObject({ points: 1 });
});

test('a field is made filterable afterwards; values that do not fit are told, and new ones refused', async () => {
  await create({ name: 'fields', profile: { model: 'nested', filterable: { year: 'integer' } } });
  const name = 'fields' as CollectionName;
  const documents = [{ tag: 'x' }, { tag: ['x', 7] }, {}, { tag: { a: 1 } }].map((metadata, n) => {
    const id = `d${n}` as DocumentId;
    const payload = storedPayload(id, 'x', { metadata });
    const dense = new Float32Array(8).fill(8 ** -0.5);
    return {
      tenant: DEFAULT_TENANT,
      id,
      sequence: 1,
      points: [{ id: pointId(DEFAULT_TENANT, name, id, 0), dense, payload }],
    };
  });
  await api.parts.store.replaceDocuments(name, documents);
  const add = (body: unknown) => api.json('POST', '/api/v1/collections/fields/filterable', body);
  for (const time of ['once', 'again']) {
    const { status, body } = await add({ field: 'tag', type: 'keyword' });
    expect({ status, body }, time).toMatchObject({
      status: 200,
      body: {
        values: 3,
        misfits: 2,
        collection: { profile: { filterable: { year: 'integer', tag: 'keyword' } } },
      },
    });
    const { examples } = body as { examples: { id: string }[] };
    expect(examples.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
      { id: 'd1', tenant: DEFAULT_TENANT, value: ['x', 7] },
      { id: 'd3', tenant: DEFAULT_TENANT, value: { a: 1 } },
    ]);
  }
  expect(await add({ field: 'tag', type: 'text' })).toMatchObject({
    status: 409,
    body: { code: 'collection_exists' },
  });
  expect((await add({ field: 'no-field!', type: 'text' })).status).toBe(400);
  const documentsNow = { documents: [{ id: 'new', text: 'x', metadata: { tag: { a: 1 } } }] };
  expect(await api.json('POST', '/api/v1/collections/fields/jobs', documentsNow)).toMatchObject({
    body: { code: 'metadata_type' },
  });
  // As it was created, it is there already.
  expect(
    (await create({ name: 'fields', profile: { model: 'nested', filterable: { year: 'integer' } } })).status,
  ).toBe(200);
});

test('deleting a collection ends its jobs, so that they do not go on into the next one of that name', async () => {
  await create({ name: 'brief' });
  const job = (await (await api.submit('brief', '{"id":"a","text":"x"}\n')).json()) as Job;
  expect((await api.json('DELETE', '/api/v1/collections/brief')).status).toBe(204);
  expect((await api.json('GET', '/api/v1/collections/brief')).status).toBe(404);
  await api.dispatch();
  await expect
    .poll(async () => (await api.json('GET', `/api/v1/jobs/${job.id}`)).body, { timeout: 60_000 })
    .toMatchObject({ state: 'cancelled' });
});

test('models are listed', async () => {
  expect(await api.json('GET', '/api/v1/models')).toMatchObject({
    status: 200,
    body: {
      models: [
        { ...MINI, languages: null, bytes: null, workers: [] },
        { name: 'nested', kind: 'dense', matryoshka: [4, 2] },
        { name: 'splade-tiny', kind: 'sparse' },
        { name: 'judge', kind: 'reranker' },
        { name: 'flat', tokenVectors: false },
      ],
    },
  });
});
