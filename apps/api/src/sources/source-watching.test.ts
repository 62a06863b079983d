import { mkdir, mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JobState, WatchedSourceView } from '@embedmill/jobs';
import { connectQueue } from '@embedmill/queue';
import { runAs, EVERYONE, type Principal } from '../access/principal.ts';
import { tenantView } from '../access/tenant-view.ts';
import { SourceWatching } from './source-watching.ts';
import { startStoringApi, STORES, type StoringApi } from '../testing/storing-api.ts';
import type { TestApi } from '../testing/test-api.ts';
import { principalOf, sourceKey, tenantAsked, type KeptSource } from './watched-source.ts';

const SOURCES = '/api/v1/collections/docs/sources';

let api: TestApi;
let storing: StoringApi;
let folder: string;
let server: Server;
let url: string;
let served = { etag: '"1"', text: 'one' };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-watching-'));
  storing = await startStoringApi(STORES[0]![1], { sourceFolder: folder });
  api = storing.api;
  await api.json('POST', '/api/v1/collections', { name: 'docs' });
  server = createServer((request, response) => {
    const version = request.url === '/tagged.csv' ? { etag: served.etag } : {};
    response.writeHead(200, { 'content-type': 'text/csv', ...version }).end(`id,text\na,${served.text}\n`);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server?.close();
  await api?.close();
  await rm(folder, { recursive: true, force: true });
});

const add = (name: string, files: string[], more: object = {}) =>
  api.json('PUT', `${SOURCES}/${name}`, { files, schedule: { every: '1d' }, maxDeleted: 1, ...more });

const shown = async (name: string) => (await api.json('GET', `${SOURCES}/${name}`)).body as WatchedSourceView;

/** The outcome of the check after `earlier` ones, once its job has ended. */
async function look(name: string, earlier: number): Promise<WatchedSourceView['runs'][number]> {
  await expect
    .poll(async () => (await shown(name)).runs.length, { timeout: 60_000 })
    .toBeGreaterThan(earlier);
  const [run] = (await shown(name)).runs;
  if (run?.job !== undefined && run.job !== null) {
    const state = async () =>
      ((await api.json('GET', `/api/v1/jobs/${run.job}`)).body as { state: JobState }).state;
    await expect.poll(state, { timeout: 60_000 }).toBe('completed');
  }
  return run!;
}

const again = (name: string) => api.json('POST', `${SOURCES}/${name}/run`);

test('a folder is submitted when it is added, and again when something in it has changed', async () => {
  await mkdir(join(folder, 'in'));
  const put = (name: string, text: string) => writeFile(join(folder, 'in', name), text);
  await put('a.ndjson', '{"id":"a","text":"one"}\n');
  await put('b.csv', 'id,text\nb,two\n');
  await storing.finished(await storing.submit('docs', [{ id: 'other', text: 'x' }]));
  const { status, body } = await add('site', ['in'], { metadata: 'rest' });
  expect({ status, body }).toMatchObject({
    status: 200,
    body: { name: 'site', collection: 'docs', addedBy: 'everyone', runs: [] },
  });
  expect(await look('site', 0)).toMatchObject({ outcome: 'submitted', files: 2, added: 2, error: null });

  await again('site');
  expect(await look('site', 1)).toMatchObject({ outcome: 'unchanged', job: null, files: 2 });

  await put('a.ndjson', '{"id":"a","text":"another"}\n');
  await put('c.ndjson', '{"id":"c","text":"three"}\n');
  await rm(join(folder, 'in/b.csv'));
  await again('site');
  expect(await look('site', 2)).toMatchObject({ outcome: 'submitted', added: 1, changed: 1, removed: 1 });
  // Documents that the source no longer has are gone; those of others stay.
  expect(await storing.idsIn('docs')).toEqual(['a', 'c', 'other']);

  await rm(join(folder, 'in'), { recursive: true });
  await again('site');
  const error = { code: 'source_unreadable', message: expect.stringContaining('no such file') as unknown };
  expect(await look('site', 3)).toMatchObject({ outcome: 'failed', job: null, error });
  const { nextAt, createdAt } = await shown('site');
  expect(Date.parse(nextAt!) - Date.parse(createdAt)).toBe(24 * 3600_000);
});

test('a changed file of the same size is detected by its time', async () => {
  const path = join(folder, 'times.ndjson');
  await writeFile(path, '{"id":"t","text":"1111"}\n');
  await add('times', ['times.ndjson']);
  await look('times', 0);
  const before = await stat(path);
  await writeFile(path, '{"id":"t","text":"2222"}\n');
  await utimes(path, before.atime, new Date(before.mtimeMs + 1000));
  await again('times');
  expect(await look('times', 1)).toMatchObject({ outcome: 'submitted', added: 0, changed: 1, removed: 0 });
  const { body } = await api.json('GET', '/api/v1/collections/docs/documents/t');
  expect(body).toMatchObject({ text: '2222' });
});

test('after too many deletions, the source is submitted again once it or its bound has changed', async () => {
  const put = (ids: string[]) =>
    writeFile(join(folder, 'many.ndjson'), ids.map((id) => `{"id":"${id}","text":"x"}\n`).join(''));
  await put(['m1', 'm2', 'm3']);
  await add('many', ['many.ndjson'], { maxDeleted: undefined });
  await look('many', 0);
  await put(['m1']);
  await again('many');
  const job = async () => {
    const id = (await shown('many')).runs[0]?.job ?? '';
    return (await api.json('GET', `/api/v1/jobs/${id}`)).body as { state: JobState; error: unknown };
  };
  await expect
    .poll(job, { timeout: 60_000 })
    .toMatchObject({ state: 'failed', error: { code: 'too_many_deletions' } });
  // Nothing has changed; a new modification time alone does not count.
  const key = sourceKey('docs', 'many', undefined);
  const { spool, openUrl, log, queue } = api.parts;
  const own = tenantView(api.parts);
  const runs = (await spool.readWatch('runs', key)) as { time: number };
  const kept = (await spool.readWatch('source', key)) as KeptSource;
  const watching = new SourceWatching({ queue, spool, openUrl, log, own, keys: undefined });
  await watching.tick(Math.max(runs.time, kept.createdAt) + 24 * 3600_000);
  expect((await shown('many')).runs[0]).toMatchObject({ outcome: 'unchanged' });

  await add('many', ['many.ndjson'], { maxDeleted: 1 });
  await spool.keepWatch('runs', key, { ...runs, time: 0 });
  await watching.tick(Date.now() + 1);
  await expect.poll(job, { timeout: 60_000 }).toMatchObject({ state: 'completed', gone: 2 });
});

test('a changed URL is detected by its etag, or by its bytes if it has none', async () => {
  await add('tagged', [`${url}/tagged.csv`]);
  await add('plain', [`${url}/plain.csv`]);
  const outcomes = async (earlier: number) => [
    (await look('tagged', earlier)).outcome,
    (await look('plain', earlier)).outcome,
  ];
  expect(await outcomes(0)).toEqual(['submitted', 'submitted']);
  served = { ...served, text: 'two' };
  for (const name of ['tagged', 'plain']) await again(name);
  expect(await outcomes(1)).toEqual(['unchanged', 'submitted']);
  served = { ...served, etag: '"2"' };
  for (const name of ['tagged', 'plain']) await again(name);
  expect(await outcomes(2)).toEqual(['submitted', 'unchanged']);
});

test('what the server may not read is refused at each look, and said', async () => {
  for (const [name, place] of [
    ['inside', 'http://169.254.169.254/latest'],
    ['above', '../secret'],
    ['bucket', 's3://bucket/in/'],
  ] as const) {
    await add(name, [place]);
    expect(await look(name, 0)).toMatchObject({ outcome: 'failed', error: { code: 'source_forbidden' } });
  }
});

test('of several processes one looks, and one that died after it had submitted makes no second job', async () => {
  await writeFile(join(folder, 'x.ndjson'), '{"id":"x","text":"x"}\n');
  const { parts } = api;
  const key = sourceKey('docs', 'shared', undefined);
  const now = Date.now();
  const kept: KeptSource = {
    name: 'shared',
    collection: 'docs',
    owner: { name: EVERYONE.name, isKey: false },
    createdAt: now + 3600_000,
    source: { files: ['x.ndjson'], schedule: { every: '1d' }, mode: 'snapshot' },
  };
  await parts.spool.keepWatch('source', key, kept);
  const watching = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const queue = await connectQueue({ redisUrl: api.redisUrl });
      api.onClose(() => queue.close());
      const { spool, openUrl, log } = parts;
      const own = tenantView({ ...parts, queue });
      return new SourceWatching({ queue, spool, openUrl, log, own, keys: undefined });
    }),
  );
  const jobs = async () =>
    (await parts.queue.listJobs({ collection: 'docs', limit: 100 })).jobs.filter(
      ({ source }) => source === 'x.ndjson',
    );
  const due = now + 3600_000 + 1;
  await Promise.all(watching.map((one) => one.tick(due - 2)));
  expect(await jobs()).toEqual([]);
  await Promise.all(watching.flatMap((one) => [one.tick(due), one.tick(due)]));
  expect(await jobs()).toHaveLength(1);

  await parts.spool.keepWatch('runs', key, { time: 0, runs: [] });
  await watching[0]!.tick(due);
  expect(await jobs()).toHaveLength(1);

  // Changes before the other process's check are left for the next time.
  await parts.spool.keepWatch('runs', key, { time: 0, runs: [] });
  await writeFile(join(folder, 'x.ndjson'), '{"id":"x","text":"another x"}\n');
  await watching[0]!.tick(due);
  const [first] = await jobs();
  expect(await jobs()).toHaveLength(1);
  expect((await parts.spool.readWatch('runs', key)) as object).toMatchObject({
    runs: [{ outcome: 'submitted', job: first!.id, error: null }],
  });
  await storing.finished(first!);
  await watching[1]!.tick(due + 24 * 3600_000);
  const [second] = (await jobs()).filter(({ id }) => id !== first!.id);
  expect(await storing.finished(second!)).toMatchObject({ stored: 1 });

  await api.json('DELETE', `${SOURCES}/shared`);
  await watching[0]!.tick(due + 48 * 3600_000);
  expect(await jobs()).toHaveLength(2);
});

test('a source goes when it is removed, and is listed until then', async () => {
  await add('brief', ['x.ndjson'], { schedule: { cron: '0 3 * * *', timezone: 'Europe/Berlin' } });
  const names = async () =>
    ((await api.json('GET', SOURCES)).body as { sources: { name: string }[] }).sources.map(
      ({ name }) => name,
    );
  expect(await names()).toContain('brief');
  // It waits for its time.
  expect((await shown('brief')).runs).toEqual([]);
  expect((await api.json('DELETE', `${SOURCES}/brief`)).status).toBe(204);
  expect(await names()).not.toContain('brief');
  for (const [method, path] of [
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/run'],
  ] as const) {
    expect(await api.json(method, `${SOURCES}/brief${path}`)).toMatchObject({
      status: 404,
      body: { code: 'source_not_found' },
    });
  }
});

test.each<[string, object, RegExp]>([
  ['no schedule', { schedule: undefined }, /schedule/],
  ['a schedule of seconds', { schedule: { every: '5s' } }, /schedule/],
  ['cron that is none', { schedule: { cron: 'daily' } }, /write minute, hour, day/],
  ['nowhere', { files: [] }, /files/],
  ['a field that there is not', { watch: true }, /watch/],
])('%s is refused', async (_name, more, says) => {
  const { status, body } = await add('wrong', ['in'], more);
  expect({ status, body }).toMatchObject({
    status: 400,
    body: { detail: expect.stringMatching(says) as unknown },
  });
});

test('a source is read as its key is now, and no more once that has gone', () => {
  const key: Principal = {
    name: 'k',
    scopes: new Set(['submit'] as const),
    tenant: undefined,
    collections: undefined,
    requestsPerSecond: undefined,
    concurrency: undefined,
  };
  const kept: KeptSource = {
    name: 's',
    collection: 'c',
    tenant: 't' as never,
    owner: { name: 'k', isKey: true },
    createdAt: 0,
    source: { files: ['x'], schedule: { every: '1d' }, mode: 'snapshot' },
  };
  const collections = new Set(['c']);
  expect(principalOf(kept, () => ({ ...key, collections }))).toMatchObject({ tenant: 't', collections });
  expect(() => principalOf(kept, () => undefined)).toThrow(/was removed or has expired/);
  expect(() => principalOf(kept, () => ({ ...key, scopes: new Set(['search'] as const) }))).toThrow(
    /may no longer submit/,
  );
  expect(() => principalOf(kept, () => ({ ...key, tenant: 'u' as never }))).toThrow(/may no longer submit/);
  expect(() => runAs({ ...key, tenant: 't' as never }, () => tenantAsked('u' as never))).toThrow(
    /is bound to/,
  );
});
