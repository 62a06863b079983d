import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isFinished, type Job } from '@embedmill/jobs';
import { openQdrantStore, type VectorStore } from '@embedmill/vector-store';
import { startFakeQdrant } from '@embedmill/vector-store/fake-qdrant';
import { startStoringWorker } from './storing-worker.ts';
import { startTestApi, type TestApi } from './test-api.ts';

/** Documents deleted by ids, by a filter, and by lines of a job. */
describe.each<[string, () => Promise<{ store?: VectorStore; close?: () => Promise<void> }>]>([
  ['zvec', async () => ({})],
  [
    'Qdrant (a fake one)',
    async () => {
      const fake = await startFakeQdrant();
      return { store: await openQdrantStore({ url: fake.url }), close: fake.close };
    },
  ],
])('on %s', (_name, open) => {
  let api: TestApi;
  let collections = 0;
  /** Jobs whose shards wait until they are let go. */
  const held = new Map<string, Promise<void>>();

  beforeAll(async () => {
    const { store, close } = await open();
    api = await startTestApi(store === undefined ? {} : { store });
    api.onClose(async () => close?.());
    await api.dispatch();
    await startStoringWorker(api, { before: async ({ job }) => held.get(job) });
  });
  afterAll(() => api.close());

  async function newCollection(): Promise<string> {
    const name = `c${(collections += 1)}`;
    const profile = { filterable: { year: 'integer' } };
    expect((await api.json('POST', '/api/v1/collections', { name, profile })).status).toBe(201);
    return name;
  }

  async function submit(name: string, lines: object[]): Promise<Job> {
    const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    return (await (await api.submit(name, body)).json()) as Job;
  }

  const remove = (name: string, body: object) =>
    api.json('POST', `/api/v1/collections/${name}/documents/delete`, body);
  const jobOf = async (id: string) => (await api.json('GET', `/api/v1/jobs/${id}`)).body as Job;

  async function finished({ id }: Job): Promise<Job> {
    await expect.poll(async () => isFinished((await jobOf(id)).state), { timeout: 60_000 }).toBe(true);
    return jobOf(id);
  }

  async function idsIn(name: string): Promise<string[]> {
    const { body } = await api.json('GET', `/api/v1/collections/${name}/points`);
    return (body as { points: { id: string; tenant: string }[] }).points
      .map(({ id, tenant }) => (tenant === 'default' ? id : `${tenant}/${id}`))
      .toSorted();
  }

  test('by ids those of one tenant go, also ones that are not there; a dry run counts those that are', async () => {
    const name = await newCollection();
    const lines = ['a', 'b', 'c'].map((id) => ({ id, text: id }));
    await finished(await submit(name, [...lines, ...lines.map((line) => ({ ...line, tenant: 'acme' }))]));
    const ids = ['a', 'b', 'none', 'a'];
    expect(await remove(name, { ids, dryRun: true })).toMatchObject({ status: 200, body: { documents: 2 } });
    const { status, body } = await remove(name, { ids });
    expect(status).toBe(202);
    expect(await finished(body)).toMatchObject({
      ...{ state: 'completed', source: 'deletion', documents: 4, deleted: 3, duplicates: 1, failed: 0 },
    });
    expect(await idsIn(name)).toEqual(['acme/a', 'acme/b', 'acme/c', 'c']);
    const many = Array.from({ length: 300 }, (_, n) => `n${n}`);
    const more = await remove(name, { ids: ['a', ...many], tenant: 'acme' });
    expect(await finished(more.body)).toMatchObject({ deleted: 301 });
    expect(await idsIn(name)).toEqual(['acme/b', 'acme/c', 'c']);
  });

  test('what is asked wrong is said, and nothing is deleted', async () => {
    const name = await newCollection();
    const filter = { field: 'year', lt: 2000 };
    expect(await remove('nowhere', { ids: ['a'] })).toMatchObject({ status: 404 });
    for (const body of [{}, { ids: [] }, { ids: ['a'], filter }, { ids: [''] }, { filter: {} }, { id: 'a' }])
      expect(await remove(name, body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(await remove(name, { filter: { field: 'colour', eq: 'red' } })).toMatchObject({
      body: { code: 'invalid_filter' },
    });
    expect(await remove(name, { ids: ['a', 'b\u0000'] })).toMatchObject({
      body: { code: 'invalid_unicode', detail: expect.stringContaining('ids/1/id') },
    });
    expect((await api.json('GET', `/api/v1/jobs?collection=${name}`)).body).toEqual({ jobs: [] });
  });

  test('by a filter go those that match in the order of acceptance: of an older job that still runs, not of a later one', async () => {
    const name = await newCollection();
    const line = (id: string, year: number) => ({ id, text: `${id} of ${year}`, metadata: { year } });
    await finished(await submit(name, [line('old', 1990), line('new', 2020), line('edited', 1990)]));
    const release = Promise.withResolvers<void>();
    const earlier = await hold(name, [line('running', 1991), line('stays', 2021)], release.promise);
    const filter = { field: 'year', lt: 2000 };
    const deletion = (await remove(name, { filter })).body as Job;
    const later = await finished(await submit(name, [line('after', 1992), line('edited', 2022)]));
    expect(later).toMatchObject({ stored: 2 });
    expect(await jobOf(deletion.id)).toMatchObject({ state: 'queued' });
    release.resolve();
    await finished(earlier);
    expect(await finished(deletion)).toMatchObject({ state: 'completed', deleted: 2, superseded: 1 });
    expect(await idsIn(name)).toEqual(['after', 'edited', 'new', 'stays']);
    expect((await remove(name, { filter, dryRun: true })).body).toEqual({ documents: 1 });
    const nothing = { field: 'year', gt: 3000 };
    expect(await finished((await remove(name, { filter: nothing })).body)).toMatchObject({
      ...{ state: 'completed', documents: 0, deleted: 0 },
    });
  });

  test('one by a filter that waits for an older job can be cancelled', async () => {
    const name = await newCollection();
    const release = Promise.withResolvers<void>();
    const earlier = await hold(name, [{ id: 'a', text: 'x' }], release.promise);
    const deletion = (await remove(name, { filter: { field: 'year', lt: 2000 } })).body as Job;
    await api.json('POST', `/api/v1/jobs/${deletion.id}/cancel`);
    expect(await finished(deletion)).toMatchObject({ state: 'cancelled', deleted: 0 });
    release.resolve();
    await finished(earlier);
  });

  /** Submits a job whose shards wait. */
  async function hold(name: string, lines: object[], until: Promise<void>): Promise<Job> {
    await api.json('POST', '/api/v1/queue/pause');
    const job = await submit(name, lines);
    held.set(job.id, until);
    await api.json('POST', '/api/v1/queue/resume');
    return job;
  }
});
