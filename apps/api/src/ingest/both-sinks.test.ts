import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  isFinished,
  NO_COUNTS,
  type Job,
  type JobId,
  type Shard,
  type ShardResult,
  type TenantId,
} from '@embedmill/jobs';
import { ModelConsumer } from '@embedmill/queue';
import { Allowances } from '../access/allowances.ts';
import { testKeys } from '../access/test-keys.ts';
import { fakeAnswer, MINI } from '../testing/fake-worker.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';
import { stored } from '../dispatch/test-dispatch.ts';

/** Behaviour shared by jobs with a file sink and jobs with a collection, with a fake worker. */
const QUOTA = 2000;
/** Enough for several shards. */
const MANY = 2500;
let api: TestApi;
let settle: (shard: Shard) => Promise<ShardResult>;
const keys = new Map<string, { authorization: string }>();
const usual = async (shard: Shard): Promise<ShardResult> => ({ ...stored(shard), engineMs: 100 });

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-sinks-'));
  const allowancesFile = join(folder, 'allowances.json');
  const limited = { documentsPerDay: QUOTA };
  await writeFile(
    allowancesFile,
    JSON.stringify({ tenants: { 'limited-file': limited, 'limited-collection': limited }, keys: {} }),
  );
  const file = await testKeys();
  const scopes: ('submit' | 'search')[] = ['submit', 'search'];
  keys.set('admin', await file.add({ name: 'admin', scopes: ['admin'] }));
  for (const tenant of ['file', 'collection', 'limited-file', 'limited-collection'])
    keys.set(tenant, await file.add({ name: tenant, scopes, tenant: tenant as TenantId }));
  const allowances = new Allowances(allowancesFile, { info: () => {}, error: () => {} });
  api = await startTestApi({ config: { access: file.access }, allowances });
  api.onClose(async () => allowances.close());
  api.onClose(() => file.remove());
  api.onClose(() => rm(folder, { recursive: true, force: true }));
  await api.dispatch();
  const worker = await ModelConsumer.open({
    redisUrl: api.redisUrl,
    shardConcurrency: 1,
    queryConcurrency: 1,
    lockMs: 5000,
    onError: () => {},
  });
  api.onClose(() => worker.close());
  const shard = async (given: Shard) => {
    const { job, index, sink } = given;
    // Like the worker: the result comes after the part.
    const part = Readable.from([Buffer.from(`${index}\n`)]);
    if (sink !== undefined) await api.parts.spool.writePart(job as JobId, index, part);
    return settle(given);
  };
  worker.serve(MINI.name, { shard, query: async (asked) => fakeAnswer(asked, MINI) });
  const made = await as('admin', 'POST', '/api/v1/collections', { name: 'docs' });
  expect(made.status).toBe(201);
}, 120_000);
afterAll(() => api?.close());
afterEach(() => (settle = usual));

const as = (who: string, method: string, path: string, body?: unknown) =>
  api.json(method, path, body, { authorization: keys.get(who)?.authorization ?? '' });

const lines = (count: number) =>
  Array.from({ length: count }, (_, n) => `{"id":"d${n}","text":"some words"}\n`).join('');

async function finished({ id }: Job): Promise<Job> {
  const job = async () => (await as('admin', 'GET', `/api/v1/jobs/${id}`)).body as Job;
  await expect.poll(async () => isFinished((await job()).state), { timeout: 60_000 }).toBe(true);
  return job();
}

describe.each(['collection', 'file'] as const)('a job to a %s', (sink) => {
  const address = sink === 'file' ? '/api/v1/jobs' : '/api/v1/collections/docs/jobs';

  async function submit(count: number, query: Record<string, string> = {}, who: string = sink) {
    const said = new URLSearchParams(sink === 'file' ? { output: 'ndjson', ...query } : query);
    const response = await api.call(`${address}?${said.toString()}`, {
      method: 'POST',
      body: lines(count),
      headers: { 'content-type': 'application/x-ndjson', authorization: keys.get(who)?.authorization ?? '' },
    });
    return { status: response.status, body: (await response.json()) as Job & { code: string } };
  }

  test('is stopped where more of its documents fail than may, and has no file then', async () => {
    settle = async (shard) => {
      const { documents } = shard.range;
      return { ...NO_COUNTS, index: shard.index, documents, failed: documents, chunks: 0, tokens: 0 };
    };
    const { body } = await submit(MANY, { maxFailures: '300' });
    const job = await finished(body);
    expect(job).toMatchObject({ state: 'failed', output: null, error: { code: 'too_many_failures' } });
    expect(job.failed).toBeGreaterThan(300);
    if (sink === 'file') expect((await as('admin', 'GET', `/api/v1/jobs/${job.id}/output`)).status).toBe(409);
  });

  test('tells its webhook of its failures and of its end, once each', async () => {
    const documents = [
      { id: 'a', text: 'x' },
      { id: 'b', text: 'y' },
    ];
    settle = async (shard) => ({ ...stored(shard), stored: 1, failed: 1 });
    const webhook = { url: 'https://example.com/hook', secret: `whsec_${'A'.repeat(44)}`, failures: 1 };
    const output = sink === 'file' ? { output: { format: 'ndjson' } } : {};
    const { body } = await as(sink, 'POST', address, { documents, webhook, ...output });
    const { id } = await finished(body as Job);
    const told = async () => {
      const answer = await as(sink, 'GET', `/api/v1/jobs/${id}/webhook-deliveries`);
      return (answer.body as { deliveries: { type: string }[] }).deliveries.map(({ type }) => type).sort();
    };
    await expect.poll(told, { timeout: 30_000 }).toEqual(['job.completed', 'job.failures']);
  });

  test('is counted as used by its tenant, and refused once the day’s quota is used up', async () => {
    const who = `limited-${sink}`;
    await finished((await submit(QUOTA, {}, who)).body);
    const { rows } = (await as('admin', 'GET', '/api/v1/usage?groupBy=tenant,collection,model')).body as {
      rows: Record<string, unknown>[];
    };
    expect(rows.find(({ tenant }) => tenant === who)).toMatchObject({
      collection: sink === 'file' ? null : 'docs',
      model: MINI.name,
      documents: QUOTA,
      tokens: 7 * QUOTA,
    });
    // The figures for the comparison are some seconds old.
    const refused = async () => (await submit(1, {}, who)).body.code;
    await expect.poll(refused, { timeout: 30_000 }).toBe('quota_exhausted');
  });

  test('comes before its tenant’s other jobs by its priority, which can be changed', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const order: string[] = [];
    settle = async (shard) => {
      await held;
      order.push(shard.job);
      return usual(shard);
    };
    const running = async ({ id }: Job) => {
      const state = async () => ((await as(sink, 'GET', `/api/v1/jobs/${id}`)).body as Job).state;
      await expect.poll(state, { timeout: 60_000 }).toBe('running');
    };
    const { body: background } = await submit(8 * MANY, { priority: 'background' });
    await running(background);
    const { body: late } = await submit(MANY);
    await running(late);
    const changed = await as(sink, 'PATCH', `/api/v1/jobs/${late.id}`, { priority: 'urgent' });
    expect(changed).toMatchObject({ status: 200 });
    release();
    expect(await finished(late)).toMatchObject({ state: 'completed', priority: 'urgent' });
    expect(await finished(background)).toMatchObject({ state: 'completed', priority: 'background' });
    const last = (id: string) => order.lastIndexOf(id);
    expect(last(late.id)).toBeLessThan(last(background.id));
  });
});
