import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  for (const name of ['blue', 'green']) await api.json('POST', '/api/v1/collections', { name });
});
afterAll(() => api.close());

const move = (name: string, collection: string) => api.json('PUT', `/api/v1/aliases/${name}`, { collection });
const submit = async (collection: string, key: string) =>
  (await (await api.submit(collection, '{"id":"a","text":"b"}\n', { 'idempotency-key': key })).json()) as Job;

test('an alias stands for a collection in addresses, and for another one once it was moved', async () => {
  expect(await move('live', 'blue')).toMatchObject({
    status: 200,
    body: { name: 'live', collection: 'blue' },
  });
  expect((await api.json('GET', '/api/v1/collections/live')).body).toMatchObject({ name: 'blue' });
  const job = await submit('live', 'one');
  expect(job.collection).toBe('blue');
  const jobs = async (collection: string) =>
    ((await api.json('GET', `/api/v1/jobs?collection=${collection}`)).body as { jobs: Job[] }).jobs;
  expect((await jobs('live')).map(({ id }) => id)).toEqual([job.id]);

  await move('live', 'green');
  expect((await api.json('GET', '/api/v1/collections/live')).body).toMatchObject({ name: 'green' });
  expect((await submit('live', 'two')).collection).toBe('green');
  expect((await api.json('GET', '/api/v1/aliases')).body).toEqual({
    aliases: [{ name: 'live', collection: 'green' }],
  });
  expect((await api.json('GET', '/api/v1/collections/live/points')).status).toBe(200);
  const field = { field: 'year', type: 'integer' };
  expect(await api.json('POST', '/api/v1/collections/live/filterable', field)).toMatchObject({
    status: 200,
    body: { collection: { name: 'green', profile: { filterable: { year: 'integer' } } } },
  });
});

test('a collection can neither be deleted nor created again by an alias', async () => {
  await move('current', 'blue');
  expect(await api.json('DELETE', '/api/v1/collections/current')).toMatchObject({
    status: 400,
    body: { detail: expect.stringContaining('is an alias of blue') },
  });
  expect(await api.json('POST', '/api/v1/collections', { name: 'current' })).toMatchObject({
    status: 409,
    body: { code: 'collection_exists' },
  });
  expect((await move('blue', 'green')).status).toBe(409);
  expect((await move('other', 'current')).status).toBe(400);
  expect((await move('other', 'nosuch')).status).toBe(404);
  expect((await move('No Name', 'blue')).status).toBe(400);
  expect((await api.json('DELETE', '/api/v1/aliases/current')).status).toBe(204);
  expect((await api.json('DELETE', '/api/v1/aliases/current')).status).toBe(204);
  expect((await api.json('GET', '/api/v1/collections/current')).status).toBe(404);
  expect((await api.json('GET', '/api/v1/collections/blue')).status).toBe(200);
});

test('a deleted collection takes its aliases along', async () => {
  await api.json('POST', '/api/v1/collections', { name: 'passing' });
  await move('gone', 'passing');
  await api.json('DELETE', '/api/v1/collections/passing');
  const { aliases } = (await api.json('GET', '/api/v1/aliases')).body as { aliases: { name: string }[] };
  expect(aliases.map(({ name }) => name)).not.toContain('gone');
});

interface Operation {
  requestBody?: { content: Record<string, { example?: unknown }> };
  parameters?: { name: string; in: string }[];
}

test('every route that names a collection takes an alias', async () => {
  await api.answerQueries();
  await api.json('POST', '/api/v1/collections', { name: 'walked' });
  await move('walked-live', 'walked');
  const { body } = await api.json('GET', '/openapi.json');
  const { paths } = body as { paths: Record<string, Record<string, Operation>> };
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const inPath = routes.filter(
    ({ path, method }) =>
      path.startsWith('/api/v1/collections/{name}') &&
      // By an alias this is refused, as said above.
      !(method === 'DELETE' && path === '/api/v1/collections/{name}'),
  );
  expect(inPath.length).toBeGreaterThan(20);
  const answers: string[] = [];
  for (const { path, method, operation } of inPath) {
    const [[type, { example }] = ['', {}]] = Object.entries(operation.requestBody?.content ?? {});
    const ask = async (name: string): Promise<string> => {
      const body = typeof example === 'string' ? example : JSON.stringify(example);
      const response = await api.call(path.replace('{name}', name).replaceAll(/\{\w+\}/g, 'x'), {
        method,
        ...(example !== undefined && { body, headers: { 'content-type': type } }),
      });
      const text = await response.text();
      return text.includes('"code"') ? (JSON.parse(text) as { code: string }).code : `${response.status}`;
    };
    answers.push(`${method} ${path}: ${await ask('none-such')}, ${await ask('walked-live')}`);
  }
  const isWrong = (answer: string): boolean =>
    !/: collection_not_found, (?!collection_not_found)/.test(answer);
  expect(answers.filter(isWrong)).toEqual([]);

  const inQuery = routes.filter(({ operation: { parameters = [] } }) =>
    parameters.some((one) => one.in === 'query' && one.name === 'collection'),
  );
  expect(inQuery.map(({ path }) => path)).toEqual(['/api/v1/jobs']);
});
