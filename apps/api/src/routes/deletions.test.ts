import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { startStoringApi, STORES, type StoringApi } from '../testing/storing-api.ts';

/** Documents deleted by ids, by a filter, and by lines of a job. */
describe.each(STORES)('on %s', (_name, open) => {
  let storing: StoringApi;
  let api: StoringApi['api'];

  beforeAll(async () => {
    storing = await startStoringApi(open);
    api = storing.api;
  });
  afterAll(() => api.close());

  const remove = (name: string, body: object) =>
    api.json('POST', `/api/v1/collections/${name}/documents/delete`, body);

  test('by ids those of one tenant go, also ones that are not there; a dry run counts those that are', async () => {
    const name = await storing.newCollection();
    const lines = ['a', 'b', 'c'].map((id) => ({ id, text: id }));
    await storing.finished(
      await storing.submit(name, [...lines, ...lines.map((line) => ({ ...line, tenant: 'acme' }))]),
    );
    const ids = ['a', 'b', 'none', 'a'];
    expect(await remove(name, { ids, dryRun: true })).toMatchObject({ status: 200, body: { documents: 2 } });
    const { status, body } = await remove(name, { ids });
    expect(status).toBe(202);
    expect(await storing.finished(body)).toMatchObject({
      state: 'completed',
      source: 'deletion',
      documents: 4,
      deleted: 3,
      duplicates: 1,
      failed: 0,
    });
    expect(await storing.idsIn(name)).toEqual(['acme/a', 'acme/b', 'acme/c', 'c']);
    const many = Array.from({ length: 300 }, (_, n) => `n${n}`);
    const more = await remove(name, { ids: ['a', ...many], tenant: 'acme' });
    expect(await storing.finished(more.body)).toMatchObject({ deleted: 301 });
    expect(await storing.idsIn(name)).toEqual(['acme/b', 'acme/c', 'c']);
  });

  test('invalid requests are refused with a reason, and nothing is deleted', async () => {
    const name = await storing.newCollection();
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
    expect((await api.json('GET', `/api/v1/jobs?collection=${name}`)).body).toEqual({
      jobs: [],
      next: null,
    });
  });

  test('by a filter go those that match in the order of acceptance: of an older job that still runs, not of a later one', async () => {
    const name = await storing.newCollection();
    const line = (id: string, year: number) => ({ id, text: `${id} of ${year}`, metadata: { year } });
    await storing.finished(
      await storing.submit(name, [line('old', 1990), line('new', 2020), line('edited', 1990)]),
    );
    const release = Promise.withResolvers<void>();
    const earlier = await storing.hold(name, [line('running', 1991), line('stays', 2021)], release.promise);
    const filter = { field: 'year', lt: 2000 };
    const deletion = (await remove(name, { filter })).body as Job;
    const later = await storing.finished(
      await storing.submit(name, [line('after', 1992), line('edited', 2022)]),
    );
    expect(later).toMatchObject({ stored: 2 });
    expect(await storing.job(deletion.id)).toMatchObject({ state: 'queued' });
    release.resolve();
    await storing.finished(earlier);
    expect(await storing.finished(deletion)).toMatchObject({
      state: 'completed',
      deleted: 2,
      documents: 2,
      superseded: 0,
    });
    expect(await storing.idsIn(name)).toEqual(['after', 'edited', 'new', 'stays']);
    expect((await remove(name, { filter, dryRun: true })).body).toEqual({ documents: 1 });
    const nothing = { field: 'year', gt: 3000 };
    expect(await storing.finished((await remove(name, { filter: nothing })).body)).toMatchObject({
      state: 'completed',
      documents: 0,
      deleted: 0,
    });
  });

  test('one by a filter that waits for an older job can be cancelled', async () => {
    const name = await storing.newCollection();
    const release = Promise.withResolvers<void>();
    const earlier = await storing.hold(name, [{ id: 'a', text: 'x' }], release.promise);
    const deletion = (await remove(name, { filter: { field: 'year', lt: 2000 } })).body as Job;
    await api.json('POST', `/api/v1/jobs/${deletion.id}/cancel`);
    expect(await storing.finished(deletion)).toMatchObject({ state: 'cancelled', deleted: 0 });
    release.resolve();
    await storing.finished(earlier);
  });
});
