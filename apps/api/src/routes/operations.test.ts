import { afterAll, beforeAll, expect, test } from 'vitest';
import { EmbedmillError } from '@embedmill/jobs';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

test('it is ready when queue and store answer, and names the one that does not', async () => {
  expect(await api.json('GET', '/healthz')).toMatchObject({ status: 200, body: { ok: true } });
  expect(await api.json('GET', '/readyz')).toMatchObject({
    status: 200,
    body: { ok: true, parts: { queue: { ok: true }, store: { ok: true } } },
  });
  const { store } = api.parts;
  const ping = store.ping.bind(store);
  store.ping = () => Promise.reject(new EmbedmillError('store_unavailable', 'the store is away'));
  expect(await api.json('GET', '/readyz')).toMatchObject({
    status: 503,
    body: { ok: false, parts: { queue: { ok: true }, store: { ok: false, detail: 'the store is away' } } },
  });
  store.ping = ping;
});

test('metrics are served, with the queue’s depth, and count requests by route', async () => {
  await api.json('POST', '/api/v1/collections', { name: 'docs' });
  await api.json('GET', '/api/v1/collections/docs');
  await api.json('GET', '/api/v1/collections/none');
  const response = await api.call('/metrics');
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  const body = await response.text();
  expect(body).toMatch(/^embedmill_queue_paused 0$/m);
  const count = (status: string) =>
    `embedmill_http_request_duration_seconds_count{method="GET",route="/api/v1/collections/:name",status="${status}"} 1`;
  expect(body).toContain(count('2xx'));
  expect(body).toContain(count('4xx'));
  expect(body).not.toContain('route="/api/v1/collections/docs"');
});

type Schema = { [key: string]: unknown };
interface OpenApi {
  openapi: string;
  paths: Record<
    string,
    Record<string, { requestBody?: { content: Schema }; responses: Record<string, { content?: Schema }> }>
  >;
  components: { schemas: Schema };
}

test('OpenAPI describes every route, and every reference in it leads somewhere', async () => {
  const { status, body } = await api.json('GET', '/openapi.json');
  expect(status).toBe(200);
  const spec = body as OpenApi;
  expect(spec.openapi).toBe('3.1.0');
  const routes = Object.entries(spec.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(routes.sort()).toEqual([
    'DELETE /api/v1/aliases/{name}',
    'DELETE /api/v1/collections/{name}',
    'DELETE /api/v1/collections/{name}/documents/{id}',
    'DELETE /api/v1/collections/{name}/migration',
    'DELETE /api/v1/collections/{name}/sources/{id}',
    'DELETE /api/v1/jobs/{id}',
    'DELETE /api/v1/keys/{id}',
    'DELETE /v1/datasets/{id}',
    'DELETE /v1/files/{id}',
    'GET /',
    'GET /api/v1/aliases',
    'GET /api/v1/backlog',
    'GET /api/v1/collections',
    'GET /api/v1/collections/{name}',
    'GET /api/v1/collections/{name}/documents',
    'GET /api/v1/collections/{name}/documents/{id}',
    'GET /api/v1/collections/{name}/map',
    'GET /api/v1/collections/{name}/map/points',
    'GET /api/v1/collections/{name}/points',
    'GET /api/v1/collections/{name}/sources',
    'GET /api/v1/collections/{name}/sources/{id}',
    'GET /api/v1/jobs',
    'GET /api/v1/jobs/{id}',
    'GET /api/v1/jobs/{id}/details',
    'GET /api/v1/jobs/{id}/events',
    'GET /api/v1/jobs/{id}/failure-reasons',
    'GET /api/v1/jobs/{id}/failures',
    'GET /api/v1/jobs/{id}/log',
    'GET /api/v1/jobs/{id}/output',
    'GET /api/v1/jobs/{id}/warnings',
    'GET /api/v1/jobs/{id}/webhook-deliveries',
    'GET /api/v1/keys',
    'GET /api/v1/models',
    'GET /api/v1/overview',
    'GET /api/v1/overview/events',
    'GET /api/v1/principal',
    'GET /api/v1/sign-in',
    'GET /api/v1/usage',
    'GET /health',
    'GET /healthz',
    'GET /info',
    'GET /metrics',
    'GET /ping',
    'GET /readyz',
    'GET /startupz',
    'GET /v1/batches',
    'GET /v1/batches/{id}',
    'GET /v1/datasets',
    'GET /v1/datasets/usage',
    'GET /v1/datasets/{id}',
    'GET /v1/datasets/{id}/parts/0',
    'GET /v1/embed-jobs',
    'GET /v1/embed-jobs/{id}',
    'GET /v1/files',
    'GET /v1/files/{id}',
    'GET /v1/files/{id}/content',
    'GET /v1/models',
    'GET /v1/models/{model}',
    'GET /v1/uploads/{id}',
    'PATCH /api/v1/jobs/{id}',
    'POST /',
    'POST /api/embed',
    'POST /api/embeddings',
    'POST /api/v1/collections',
    'POST /api/v1/collections/{name}/documents/delete',
    'POST /api/v1/collections/{name}/exports',
    'POST /api/v1/collections/{name}/filterable',
    'POST /api/v1/collections/{name}/jobs',
    'POST /api/v1/collections/{name}/map',
    'POST /api/v1/collections/{name}/migration',
    'POST /api/v1/collections/{name}/migration/exchange',
    'POST /api/v1/collections/{name}/near-duplicates',
    'POST /api/v1/collections/{name}/recommend',
    'POST /api/v1/collections/{name}/search',
    'POST /api/v1/collections/{name}/sources/{id}/run',
    'POST /api/v1/jobs',
    'POST /api/v1/jobs/{id}/cancel',
    'POST /api/v1/jobs/{id}/retry',
    'POST /api/v1/jobs/{id}/verify',
    'POST /api/v1/keys',
    'POST /api/v1/queue/pause',
    'POST /api/v1/queue/resume',
    'POST /decode',
    'POST /embed',
    'POST /embed_all',
    'POST /embed_sparse',
    'POST /embeddings',
    'POST /openai/deployments/{deployment}/embeddings',
    'POST /predict',
    'POST /rerank',
    'POST /score',
    'POST /similarity',
    'POST /tokenize',
    'POST /v1/batches',
    'POST /v1/batches/{id}/cancel',
    'POST /v1/datasets',
    'POST /v1/embed',
    'POST /v1/embed-jobs',
    'POST /v1/embed-jobs/{id}/cancel',
    'POST /v1/embeddings',
    'POST /v1/files',
    'POST /v1/rerank',
    'POST /v1/score',
    'POST /v1/uploads',
    'POST /v1/uploads/{id}/cancel',
    'POST /v1/uploads/{id}/complete',
    'POST /v1/uploads/{id}/parts',
    'POST /v2/embed',
    'POST /v2/rerank',
    'PUT /api/v1/aliases/{name}',
    'PUT /api/v1/collections/{name}/sources/{id}',
  ]);
  const submit = spec.paths['/api/v1/collections/{name}/jobs']!['post']!;
  expect(Object.keys(submit.requestBody!.content).sort()).toEqual([
    'application/json',
    'application/vnd.apache.parquet',
    'application/x-ndjson',
    'multipart/form-data',
    'text/csv',
  ]);
  expect(JSON.stringify(submit.requestBody)).toContain('Unique within the collection');
  const failed = spec.paths['/api/v1/jobs/{id}']!['get']!.responses['4XX']!;
  expect(failed.content).toEqual({
    'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
  });
  expect(brokenReferences(spec, spec)).toEqual([]);
});

/** References that lead nowhere in the document. */
function brokenReferences(node: unknown, root: unknown): string[] {
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) => {
    if (key !== '$ref' || typeof value !== 'string') return brokenReferences(value, root);
    const target = value
      .replace(/^#\//, '')
      .split('/')
      .reduce<unknown>((at, part) => (at as Schema | undefined)?.[part.replaceAll('~1', '/')], root);
    return value.startsWith('#/') && target !== undefined ? [] : [value];
  });
}

test('an error of our own says no more than where its log is, and the log has it', async () => {
  const { queue } = api.parts;
  const getJob = queue.getJob.bind(queue);
  queue.getJob = () => Promise.reject(new TypeError('password hunter2 is undefined'));
  const { status, body } = await api.json('GET', '/api/v1/jobs/job_1');
  queue.getJob = getJob;
  expect({ status, body }).toMatchObject({ status: 500, body: { code: 'internal' } });
  expect(JSON.stringify(body)).not.toContain('hunter2');
  const logged = api.logged.map((line) => JSON.parse(line) as Schema).find(({ level }) => level === 50);
  expect(logged).toMatchObject({
    route: '/api/v1/jobs/:id',
    err: { message: expect.stringContaining('hunter2') },
  });
  expect((body as { detail: string }).detail).toContain(String(logged?.['request']));
});
