import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dayOf, isFinished, type Job, type Shard, type ShardResult, type TenantId } from '@embedmill/jobs';
import { ModelConsumer } from '@embedmill/queue';
import { Allowances } from './allowances.ts';
import { testKeys } from './test-keys.ts';
import { fakeAnswer, MINI } from '../testing/fake-worker.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';
import { stored } from '../dispatch/test-dispatch.ts';

const TODAY = dayOf(Date.now());
const TENANT = 'acme' as TenantId;
let api: TestApi;
let folder: string;
let allowancesFile: string;
const keys: Record<'admin' | 'acme' | 'other', { authorization: string }> = {} as never;

/** From a fake worker: ten tokens per document. */
const settle = async (shard: Shard): Promise<ShardResult> => ({
  ...stored(shard),
  tokens: 10 * shard.range.documents,
  engineMs: 500,
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-usage-'));
  allowancesFile = join(folder, 'allowances.json');
  await writeFile(
    allowancesFile,
    JSON.stringify({
      tenants: { acme: { weight: 2, documentsPerDay: 1000 } },
      keys: { other: { tokensPerDay: 60 } },
    }),
  );
  const file = await testKeys();
  const scopes: ('submit' | 'search')[] = ['submit', 'search'];
  keys.admin = { authorization: (await file.add({ name: 'admin', scopes: ['admin'] })).authorization };
  keys.acme = { authorization: (await file.add({ name: 'acme', scopes, tenant: TENANT })).authorization };
  keys.other = { authorization: (await file.add({ name: 'other', scopes })).authorization };
  const log = { info: () => {}, error: () => {} };
  const allowances = new Allowances(allowancesFile, log);
  const prices = new Map([[MINI.name, 100]]);
  api = await startTestApi({ config: { access: file.access, prices }, allowances });
  api.onClose(async () => allowances.close());
  api.onClose(() => rm(folder, { recursive: true, force: true }));
  await api.dispatch();
  const worker = await ModelConsumer.open({
    redisUrl: api.redisUrl,
    shardConcurrency: 2,
    queryConcurrency: 1,
    lockMs: 5000,
    onError: () => {},
  });
  api.onClose(() => worker.close());
  worker.serve(MINI.name, { shard: settle, query: async (asked) => fakeAnswer(asked, MINI) });
  await api.json('POST', '/api/v1/collections', { name: 'docs' }, keys.admin);
}, 120_000);
afterAll(() => api.close());

const documents = (count: number) => ({
  documents: Array.from({ length: count }, (_, n) => ({ id: `d${n}`, text: 'some words' })),
});
const submit = (count: number, key: { authorization: string }, headers = {}) =>
  api.json('POST', '/api/v1/collections/docs/jobs', documents(count), { ...key, ...headers });

async function finished(job: Job): Promise<Job> {
  await expect
    .poll(
      async () => {
        const { body } = await api.json('GET', `/api/v1/jobs/${job.id}`, undefined, keys.admin);
        return isFinished((body as Job).state);
      },
      { timeout: 30_000 },
    )
    .toBe(true);
  return (await api.json('GET', `/api/v1/jobs/${job.id}`, undefined, keys.admin)).body as Job;
}

const usage = async (query: string, key = keys.admin) =>
  (await api.json('GET', `/api/v1/usage?${query}`, undefined, key)).body as {
    rows: Record<string, unknown>[];
    total: Record<string, number>;
  };

test('usage is that of the jobs, by key, tenant, collection and model, and a tenant’s key sees its own', async () => {
  await finished((await submit(20, keys.admin)).body as Job);
  await finished((await submit(5, keys.acme)).body as Job);
  const { rows, total } = await usage('groupBy=day,key,tenant,collection,model');
  const row = { day: TODAY, collection: 'docs', model: MINI.name, engineSeconds: 0.5 };
  expect(rows).toEqual([
    { ...row, key: 'acme', tenant: 'acme', documents: 5, tokens: 50, cost: 0.005 },
    { ...row, key: 'admin', tenant: null, documents: 20, tokens: 200, cost: 0.02 },
  ]);
  expect(total).toEqual({ documents: 25, tokens: 250, engineSeconds: 1, cost: 0.025 });
  expect((await usage('groupBy=key', keys.acme)).rows).toMatchObject([{ key: 'acme', documents: 5 }]);
  expect((await usage('to=2020-01-01')).rows).toEqual([]);
  const csv = await api.call('/api/v1/usage?format=csv&groupBy=tenant', { headers: keys.admin });
  expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8');
  expect(await csv.text()).toBe(
    'tenant,documents,tokens,engineSeconds,cost\r\n,20,200,0.5,0.02\r\nacme,5,50,0.5,0.005\r\n',
  );
});

test('queries count, of the collection that they are for', async () => {
  const before = (await usage('groupBy=tenant')).total['tokens'] ?? 0;
  const embedded = await api.json('POST', '/v1/embeddings', { model: MINI.name, input: 'a text' }, keys.acme);
  const { usage: told } = embedded.body as { usage: { total_tokens: number } };
  await api.json('POST', '/api/v1/collections/docs/search', { query: 'words' }, keys.acme);
  await expect
    .poll(async () => (await usage('groupBy=tenant')).total['tokens'], { timeout: 10_000 })
    .toBeGreaterThan(before + told.total_tokens);
  const { rows } = await usage('groupBy=collection', keys.acme);
  const none = rows.find(({ collection }) => collection === null);
  expect(none).toMatchObject({ documents: 0, tokens: told.total_tokens });
});

test.each([
  ['from=2026-11-30&to=2026-11-29', 'from'],
  ['from=2020-01-01&to=2026-11-29', 'from'],
  ['from=yesterday', 'from'],
  ['groupBy=hour', 'groupBy/0'],
  ['format=xml', 'format'],
  ['since=2026-11-29', 'since'],
])('%s is refused, with the field', async (query, path) => {
  expect(await api.json('GET', `/api/v1/usage?${query}`, undefined, keys.admin)).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', errors: [{ path }] },
  });
});

test('a tenant that has used its documents of the day is told when it opens again; others are not', async () => {
  for (let n = 0; n < 4; n += 1) {
    const { status, body } = await submit(250, keys.acme, { 'idempotency-key': `large-${n}` });
    expect(status).toBe(202);
    await finished(body as Job);
  }
  // The figures for the comparison are some seconds old.
  let refused = await submit(1, keys.acme);
  for (const deadline = Date.now() + 20_000; refused.status !== 429 && Date.now() < deadline;)
    refused = await submit(1, keys.acme);
  expect(refused).toMatchObject({ status: 429, body: { code: 'quota_exhausted', retryable: true } });
  const seconds = Number(refused.headers.get('retry-after'));
  const opens = new Date(Date.now() + seconds * 1000);
  expect(Math.abs(opens.getTime() - Date.parse(`${dayOf(Date.now() + 86_400_000)}T00:00:00Z`))).toBeLessThan(
    5000,
  );
  expect((refused.body as { detail: string }).detail).toMatch(/"acme".*1000 documents.*can submit again at/);
  // A repeated request gets its job, a repeated upload before its body is read, and queries continue.
  expect((await submit(250, keys.acme, { 'idempotency-key': 'large-0' })).status).toBe(200);
  const upload = await api.submit('docs', '{"id":"a","text":"x"}\n', keys.acme);
  expect(upload.status).toBe(429);
  const query = await api.json('POST', '/v1/embeddings', { model: MINI.name, input: 'x' }, keys.acme);
  expect(query.status).toBe(200);
  expect((await submit(1, keys.admin)).status).toBe(202);
});

test('a key that has used its tokens of the day may neither submit nor ask', async () => {
  await finished((await submit(6, keys.other)).body as Job);
  const ask = () => api.json('POST', '/v1/embeddings', { model: MINI.name, input: 'x' }, keys.other);
  let refused = await ask();
  for (const deadline = Date.now() + 20_000; refused.status !== 429 && Date.now() < deadline;)
    refused = await ask();
  expect(refused.status).toBe(429);
  expect(await submit(1, keys.other)).toMatchObject({ status: 429, body: { code: 'quota_exhausted' } });
});
