import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  DEFAULT_TENANT,
  pointId,
  searchResponseSchema,
  type CollectionName,
  type DocumentId,
  type Hit,
  type TenantId,
} from '@embedmill/jobs';
import { fakeVectors, NESTED } from '../testing/fake-worker.ts';
import { storedPayload } from '../testing/stored-payload.fixture.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;
const NAME = 'docs' as CollectionName;

beforeAll(async () => {
  api = await startTestApi({ config: { queryTimeoutMs: 500 } });
  await api.json('POST', '/api/v1/collections', {
    name: NAME,
    profile: { model: NESTED.name, filterable: { year: 'integer' } },
  });
  const texts: [string, string, number][] = [
    ['river', 'the bank of a river', 1999],
    ['money', 'a bank for money', 2005],
    ['moon', 'far away', 2020],
  ];
  const documents = texts.map(([id, text, year]) => {
    const document = id as DocumentId;
    const tenant = (id === 'moon' ? 'nasa' : DEFAULT_TENANT) as TenantId;
    const payload = storedPayload(document, text, { tenant, metadata: { year } });
    const dense = fakeVectors({ inputs: [text], role: 'query' }, NESTED.dims).vectors;
    return {
      tenant,
      id: document,
      sequence: 1,
      points: [{ id: pointId(tenant, NAME, document, 0), dense, payload }],
    };
  });
  await api.parts.store.replaceDocuments(NAME, documents);
});
afterAll(() => api.close());

const search = (body: unknown, name = 'docs') => api.json('POST', `/api/v1/collections/${name}/search`, body);

test('without a worker a search says so within its time, and when to try again', async () => {
  const { status, body, headers } = await search({ query: 'anything' });
  expect(status).toBe(503);
  expect(body).toMatchObject({
    code: 'no_worker',
    retryable: true,
    detail: expect.stringContaining(NESTED.name),
  });
  expect(headers.get('retry-after')).toBe('5');
});

test('with a worker, the closest chunks come first', async () => {
  await api.answerQueries();
  const { status, body } = await search({ query: 'a bank for money', limit: 2 });
  expect(status).toBe(200);
  const { hits } = searchResponseSchema.parse(body);
  expect(hits).toHaveLength(2);
  expect(hits[0]).toEqual({
    id: 'money',
    tenant: 'default',
    text: 'a bank for money',
    title: null,
    metadata: { year: 2005 },
    chunk: { index: 0, count: 1, start: 0, end: 16 },
    score: expect.closeTo(1, 3),
    scores: { dense: expect.closeTo(1, 3) },
  });
  expect(hits[1]!.score).toBeLessThan(hits[0]!.score);
});

test('hits can be filtered, paged, and kept to a tenant', async () => {
  const ids = async (body: object) =>
    ((await search({ query: 'far away', ...body })).body as { hits: Hit[] }).hits.map(({ id }) => id);
  expect((await ids({})).length).toBe(3);
  expect(await ids({ tenant: 'nasa' })).toEqual(['moon']);
  expect(await ids({ filter: { field: 'year', lt: 2000 } })).toEqual(['river']);
  expect(
    await ids({
      filter: {
        or: [
          { field: 'year', eq: 1999 },
          { field: 'year', gt: 2010 },
        ],
      },
    }),
  ).toEqual(['moon', 'river']);
  expect(await ids({ limit: 1, offset: 2 })).toEqual([(await ids({}))[2]]);
});

test.each([
  [{}, 400, 'invalid_request', 'query'],
  [{ query: '  \n ' }, 400, 'invalid_request', 'query'],
  [{ query: 'half \ud83d' }, 400, 'invalid_request', 'query'],
  [{ query: 'x', limit: 0 }, 400, 'invalid_request', 'limit'],
  [{ query: 'x', filter: { field: 'year' } }, 400, 'invalid_request', 'filter'],
  [{ query: 'x', filter: { and: [{ field: 'year', in: [] }] } }, 400, 'invalid_request', 'filter/and/0/in'],
  [{ query: 'x', filter: { field: 'year', eq: {} } }, 400, 'invalid_request', 'filter/eq'],
  [{ query: 'x', filter: { field: 'year', like: 1 } }, 400, 'invalid_request', 'filter/like'],
  [{ query: 'x', filter: { field: 'colour', eq: 'red' } }, 422, 'invalid_filter', undefined],
  [{ query: 'x', filter: { field: 'year', eq: 'red' } }, 422, 'invalid_filter', undefined],
])('the search %o is refused with %i %s at %s', async (body, status, code, path) => {
  const refused = await search(body);
  expect(refused).toMatchObject({ status, body: { code } });
  if (path !== undefined)
    expect(refused.body).toMatchObject({
      errors: expect.arrayContaining([expect.objectContaining({ path })]),
    });
});

test('an unknown collection cannot be searched', async () => {
  expect(await search({ query: 'x' }, 'none')).toMatchObject({
    status: 404,
    body: { code: 'collection_not_found' },
  });
});
