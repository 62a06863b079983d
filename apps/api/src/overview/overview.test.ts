import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TenantId } from '@embedmill/jobs';
import { ModelConsumer } from '@embedmill/queue';
import { testKeys } from '../access/test-keys.ts';
import { MODELS } from '../testing/fake-worker.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';
import { ratesOf } from './overview.ts';
import type { Overview } from './overview-schema.ts';

let api: TestApi;
const held: Record<'admin' | 'alpha' | 'docsOnly', { authorization: string }> = {} as never;
const MODEL = MODELS[0]?.name ?? '';

beforeAll(async () => {
  const keys = await testKeys();
  const add = async (name: string, entry: object) => {
    const { authorization } = await keys.add({ name, scopes: ['submit', 'search'], ...entry });
    return { authorization };
  };
  held.admin = await add('root', { scopes: ['admin'] });
  held.alpha = await add('alpha', { tenant: 'alpha' as TenantId });
  held.docsOnly = await add('docs only', { collections: ['docs'] });
  api = await startTestApi({ overviewMs: 20, config: { access: keys.access } });
  api.onClose(() => keys.remove());
  const own = { shardConcurrency: 2, queryConcurrency: 1, lockMs: 5000, onError: () => {} };
  const worker = await ModelConsumer.open({ redisUrl: api.redisUrl, ...own });
  api.onClose(() => worker.close());
  const model = {
    model: MODEL,
    state: 'serving' as const,
    devices: ['cpu'],
    tokensPerSecond: 7,
    calibration: null,
    download: null,
    error: null,
  };
  await worker.announce(() => ({ models: [model], memoryBytes: 1, engineRestarts: 0 }));
  await api.parts.queue.countSettled(
    new Map([
      ['alpha', { documents: 10, failed: 1, tokens: 100 }],
      ['beta', { documents: 20, failed: 0, tokens: 300 }],
    ]),
  );
});
afterAll(() => api.close());

async function overview(who: keyof typeof held): Promise<Overview> {
  const { body, status } = await api.json('GET', '/api/v1/overview', undefined, held[who]);
  expect(status).toBe(200);
  return body;
}

test('an admin sees all work, the workers, and the health of the parts', async () => {
  const seen = await overview('admin');
  expect(seen).toMatchObject({
    tenant: null,
    paused: false,
    rates: { hour: { documents: 30, failed: 1, tokens: 400 } },
    backlog: { tokens: 0, documents: 0 },
    jobs: { waiting: 0, active: 0 },
    workers: [{ pid: process.pid, mostShards: 2, models: [{ model: MODEL, tokensPerSecond: 7 }] }],
    problems: [],
  });
  expect(seen.health?.map(({ part, ok }) => [part, ok])).toEqual([
    ['queue', true],
    ['store', true],
    ['spool', true],
    ['disk', true],
    ['memory', true],
  ]);
});

test('a tenant’s key sees its own work and nothing of the machines; a key limited to collections sees no rates', async () => {
  expect(await overview('alpha')).toMatchObject({
    tenant: 'alpha',
    rates: { hour: { documents: 10, failed: 1, tokens: 100 } },
    workers: null,
    health: null,
    problems: null,
    jobs: null,
    shards: null,
  });
  expect(await overview('docsOnly')).toMatchObject({ rates: null, workers: null });
});

test('a tenant’s backlog is what its own jobs have left to do', async () => {
  await api.json('POST', '/api/v1/collections', { name: 'docs' }, held.admin);
  const lines = (count: number) =>
    Array.from({ length: count }, (_, n) => `{"id":"${n}","text":"some words"}\n`).join('');
  await api.submit('docs', lines(50), held.admin);
  const own = await api.submit('docs', lines(3), held.alpha);
  expect(own.status).toBe(202);
  const seen = await overview('alpha');
  const whole = await overview('admin');
  expect(seen.backlog.tokens).toBeGreaterThan(0);
  expect(seen.backlog.tokens).toBeLessThan(whole.backlog.tokens);
  expect(seen.backlog.models.map(({ model }) => model)).toEqual([MODEL]);
  expect(whole.jobs).toEqual({ waiting: 2, active: 0 });
});

test('models are listed with the state of their workers, for tenants too, but without the workers’ addresses', async () => {
  const { body } = await api.json('GET', '/api/v1/models', undefined, held.alpha);
  const { models } = body as { models: { name: string; workers: object[] }[] };
  const own = models.find(({ name }) => name === MODEL);
  expect(own?.workers).toMatchObject([{ state: 'serving', devices: ['cpu'], tokensPerSecond: 7 }]);
  expect(models.filter(({ name }) => name !== MODEL).flatMap(({ workers }) => workers)).toEqual([]);
});

test('the stream sends the whole overview first, then each change, and ends with the server', async () => {
  const leave = new AbortController();
  const response = await api.call('/api/v1/overview/events', {
    headers: held.admin,
    signal: leave.signal,
  });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const events: Overview[] = [];
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    const whole = text.split('\n\n');
    text = whole.pop() ?? '';
    for (const one of whole) events.push(JSON.parse(one.replace('event: overview\ndata: ', '')) as Overview);
    if (events.length >= 2) break;
  }
  leave.abort();
  expect(events[0]?.rates?.slots).toHaveLength(361);
  expect(events[1]?.rates?.slots).toHaveLength(3);
  expect(events[1]?.workers).toHaveLength(1);
});

test('the current rate covers the last full slots and the time since', () => {
  const now = 1_000_035_000;
  const slots = [0, 10, 20, 30].map((seconds) => ({
    at: 1_000_000_000 + 1000 * seconds,
    documents: 35,
    failed: 0,
    tokens: 350,
  }));
  expect(ratesOf([{ ...slots[0]!, at: 0, documents: 5000 }, ...slots], now)).toMatchObject({
    documentsPerSecond: 4,
    tokensPerSecond: 40,
    hour: { documents: 5140 },
  });
});
