import { afterAll, beforeAll, expect, test } from 'vitest';
import { newApiKey } from '@embedmill/jobs';
import type { Problem } from '../http/problem.ts';
import { buildServer } from '../server.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';
import { testKeys, type TestKeys } from './test-keys.ts';

let keys: TestKeys;
let api: TestApi;
const METRICS_KEY = 'what-prometheus-sends';
const held: Record<'admin' | 'submit' | 'search' | 'expired' | 'docsOnly', string> = {} as never;

beforeAll(async () => {
  keys = await testKeys();
  const add = async (name: string, entry: object) =>
    (await keys.add({ name, scopes: ['search'], ...entry })).key;
  held.admin = await add('admin', { scopes: ['admin'] });
  held.submit = await add('submit', { scopes: ['submit'] });
  held.search = await add('search', {});
  held.expired = await add('expired', { expires: '2020-01-01T00:00:00Z' });
  held.docsOnly = await add('docs only', { scopes: ['submit', 'search'], collections: ['docs'] });
  api = await startTestApi({ config: { access: { ...keys.access, metricsKey: METRICS_KEY } } });
  api.onClose(() => keys.remove());
  await api.answerQueries();
  for (const name of ['docs', 'others']) await as(held.admin, 'POST', '/api/v1/collections', { name });
});
afterAll(() => api.close());

const as = (key: string, method: string, path: string, body?: unknown) =>
  api.json(method, path, body, { authorization: `Bearer ${key}` });

test('every route says what it needs', async () => {
  const silent: string[] = [];
  const server = await buildServer(api.parts, {
    heartbeatMs: 1000,
    onRoute: (route) => {
      if (route.config?.access === undefined) silent.push(`${String(route.method)} ${route.url}`);
    },
  });
  await server.ready();
  await server.close();
  expect(silent).toEqual([]);
});

test.each([
  ['a search', 'search', 'POST', '/api/v1/collections/docs/search', { query: 'x' }, 200],
  ['a search', 'submit', 'POST', '/api/v1/collections/docs/search', { query: 'x' }, 403],
  ['a search', 'admin', 'POST', '/api/v1/collections/docs/search', { query: 'x' }, 200],
  ['embeddings', 'search', 'POST', '/embed', { inputs: 'x' }, 200],
  ['embeddings', 'submit', 'POST', '/embed', { inputs: 'x' }, 403],
  ['a job', 'submit', 'POST', '/api/v1/collections/docs/jobs', { documents: [{ id: 'a', text: 'x' }] }, 202],
  ['a job', 'search', 'POST', '/api/v1/collections/docs/jobs', { documents: [{ id: 'a', text: 'x' }] }, 403],
  ['a deletion', 'search', 'DELETE', '/api/v1/collections/docs/documents/a', undefined, 403],
  ['a collection', 'submit', 'POST', '/api/v1/collections', { name: 'mine' }, 403],
  ['a collection’s end', 'search', 'DELETE', '/api/v1/collections/docs', undefined, 403],
  ['all collections', 'search', 'GET', '/api/v1/collections', undefined, 200],
  ['a collection', 'docsOnly', 'GET', '/api/v1/collections/docs', undefined, 200],
  ['a collection of others', 'docsOnly', 'GET', '/api/v1/collections/others', undefined, 404],
  [
    'a job in a collection of others',
    'docsOnly',
    'POST',
    '/api/v1/collections/others/jobs',
    { documents: [] },
    404,
  ],
  ['nothing', 'search', 'GET', '/nowhere', undefined, 404],
] as const)('%s with the scope of %s: %s %s', async (_name, key, method, path, body, status) => {
  expect((await as(held[key], method, path, body)).status).toBe(status);
});

test('an error names the missing scope, also for programs', async () => {
  const { status, body, headers } = await as(held.search, 'POST', '/api/v1/collections', { name: 'mine' });
  expect(status).toBe(403);
  expect(body as Problem).toMatchObject({
    code: 'forbidden',
    detail: 'search lacks the scope "admin", which POST /api/v1/collections needs',
  });
  expect(headers.get('www-authenticate')).toBe(
    'Bearer realm="embedmill", error="insufficient_scope", scope="admin"',
  );
});

test('without a valid key nothing is returned, and existing paths look like missing ones', async () => {
  const wrong = [
    {},
    { authorization: 'Bearer' },
    { authorization: `Basic ${held.admin}` },
    { authorization: `Bearer ${newApiKey().key}` },
    { authorization: `Bearer ${held.admin.slice(0, -1)}` },
    { authorization: `Bearer ${held.admin}, Bearer ${held.search}` },
    { authorization: `Bearer ${held.expired}` },
    { authorization: 'Bearer a.b.c' },
    { 'x-api-key': '' },
    { 'api-key': held.admin.toUpperCase() },
  ];
  for (const headers of wrong) {
    for (const path of ['/api/v1/collections', '/api/v1/jobs', '/v1/models', '/nowhere', '/v1/nowhere']) {
      const answer = await api.json('GET', path, undefined, headers as Record<string, string>);
      expect(answer.status, JSON.stringify([headers, path])).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="embedmill"');
    }
  }
});

test('clients of other APIs may send their key as they do', async () => {
  for (const header of ['x-api-key', 'api-key']) {
    const answer = await api.json('GET', '/v1/models', undefined, { [header]: held.search });
    expect(answer.status).toBe(200);
  }
  const refused = await api.json('GET', '/v1/models');
  expect(refused).toMatchObject({ status: 401, body: { error: { code: 'unauthenticated' } } });
  const cohere = await api.json('POST', '/v2/rerank', { query: 'x', documents: ['x'] });
  expect(cohere).toMatchObject({ status: 401, body: { message: expect.stringContaining('needs a key') } });
});

test('health and the description are open, metrics have a key of their own', async () => {
  for (const path of ['/healthz', '/readyz', '/openapi.json'])
    expect((await api.call(path)).status, path).toBe(200);
  expect((await api.call('/metrics')).status).toBe(401);
  for (const [key, status] of [
    [METRICS_KEY, 200],
    [held.admin, 200],
    [held.search, 403],
  ] as const)
    expect((await api.call('/metrics', { headers: { authorization: `Bearer ${key}` } })).status).toBe(status);
});

test('if keys are set and metrics have no key of their own, metrics and the backlog need an admin', async () => {
  const { access } = keys;
  const closed = await startTestApi({ config: { access } });
  const open = await startTestApi({ config: { access: { ...access, metricsOpen: true } } });
  try {
    for (const path of ['/metrics', '/api/v1/backlog']) {
      const passedOn = await open.call(path, { headers: { 'x-forwarded-for': '203.0.113.7' } });
      expect(passedOn.status).toBe(401);
      expect((await closed.call(path)).status, path).toBe(401);
      const of = (key: string) => closed.call(path, { headers: { authorization: `Bearer ${key}` } });
      expect((await of(held.search)).status, path).toBe(403);
      expect((await of(held.admin)).status, path).toBe(200);
      expect((await open.call(path)).status, path).toBe(200);
    }
  } finally {
    await closed.close();
    await open.close();
  }
});

test('the description says how keys are sent, and which routes need one', async () => {
  const description = (await (await api.call('/openapi.json')).json()) as {
    components: { securitySchemes: object };
    paths: Record<string, Record<string, { security: object[] }>>;
  };
  expect(description.components.securitySchemes).toMatchObject({
    bearer: { type: 'http', scheme: 'bearer' },
    apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
  });
  const securityOf = (path: string, method: string) => description.paths[path]?.[method]?.security;
  expect(securityOf('/api/v1/collections', 'post')).toEqual([{ bearer: ['admin'] }, { apiKey: ['admin'] }]);
  expect(securityOf('/healthz', 'get')).toEqual([]);
  for (const [path, methods] of Object.entries(description.paths))
    for (const [method, route] of Object.entries(methods))
      expect(route.security, `${method} ${path}`).toBeDefined();
});

test('the file is followed, and a version that is broken changes nothing but the log', async () => {
  const added = await keys.add({ name: 'added', scopes: ['search'] });
  const statusOf = async (key: string) => (await as(key, 'GET', '/v1/models')).status;
  await expect.poll(() => statusOf(added.key), { timeout: 60_000 }).toBe(200);
  await keys.write('[{"name":"half');
  const complaint = () => api.logged.some((line) => line.includes('the keys file cannot be used'));
  await expect.poll(complaint, { timeout: 60_000 }).toBe(true);
  expect(await statusOf(added.key)).toBe(200);
  await keys.write('[]');
  await expect.poll(() => statusOf(added.key), { timeout: 60_000 }).toBe(401);
});
