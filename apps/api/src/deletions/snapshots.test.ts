import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startStoringApi, STORES, type StoringApi } from '../testing/storing-api.ts';

const snapshot = (sourceName: string, more: Record<string, string> = {}) => ({
  mode: 'snapshot',
  sourceName,
  maxDeleted: '1',
  ...more,
});
const docs = (...ids: string[]) => ids.map((id) => ({ id, text: `text of ${id}` }));

/** After a snapshot, its source has exactly the snapshot's documents. */
describe.each(STORES)('on %s', (_name, open) => {
  let storing: StoringApi;

  beforeAll(async () => {
    storing = await startStoringApi(open);
  });
  afterAll(() => storing.api.close());

  /** Submits, and returns the finished job. */
  const run = async (name: string, lines: readonly object[], query?: Record<string, string>) =>
    storing.finished(await storing.submit(name, lines, query));

  test('what a snapshot lacks of its source is deleted; other sources, and documents of none, stay', async () => {
    const name = await storing.newCollection();
    await run(name, docs('n1'));
    await run(name, docs('w1', 'w2', 'w3'), { sourceName: 'wiki' });
    await run(name, [...docs('m1'), { id: 'm2', text: 'x', source: 'mail' }], { sourceName: 'mail' });
    const job = await run(name, docs('w2', 'w4'), snapshot('wiki'));
    expect(job).toMatchObject({
      state: 'completed',
      mode: 'snapshot',
      sourceName: 'wiki',
      documents: 2,
      stored: 1,
      skipped: 1,
      gone: 2,
      deleted: 0,
      done: 2,
    });
    expect(await storing.idsIn(name)).toEqual(['m1', 'm2', 'n1', 'w2', 'w4']);
    // Without a name: the documents without a source.
    expect(await run(name, docs('n2'), { mode: 'snapshot', maxDeleted: '100%' })).toMatchObject({ gone: 1 });
    expect(await storing.idsIn(name)).toEqual(['m1', 'm2', 'n2', 'w2', 'w4']);
    const { body } = await storing.api.json('GET', `/api/v1/collections/${name}`);
    expect((body as { sources: object[] }).sources).toEqual(
      expect.arrayContaining([
        { source: 'wiki', documents: 2 },
        { source: 'mail', documents: 2 },
        { source: null, documents: 1 },
      ]),
    );
  });

  test('a file that cannot be read keeps everything, whatever else its snapshot has', async () => {
    const name = await storing.newCollection();
    await run(name, docs('1', '2'), { sourceName: 's' });
    const form = new FormData();
    form.append('file', new Blob(['id,text\n1,text of 1\n']), 'a.csv');
    form.append('file', new Blob(['no Parquet']), 'b.parquet');
    const query = new URLSearchParams(snapshot('s')).toString();
    const path = `/api/v1/collections/${name}/jobs?${query}`;
    const response = await storing.api.call(path, { method: 'POST', body: form });
    const job = await storing.finished((await response.json()) as { id: string });
    expect(job).toMatchObject({ state: 'failed', error: { code: 'snapshot_incomplete' }, gone: 0 });
    expect(await storing.idsIn(name)).toEqual(['1', '2']);
  });

  test('a snapshot covers only the tenants of its documents', async () => {
    const name = await storing.newCollection();
    const of = (tenant: string, ...ids: string[]) => docs(...ids).map((doc) => ({ ...doc, tenant }));
    await run(name, [...of('a', '1', '2'), ...of('b', '1', '2'), ...docs('1')], { sourceName: 's' });
    expect(await run(name, of('a', '1'), snapshot('s'))).toMatchObject({ gone: 1 });
    expect(await storing.idsIn(name)).toEqual(['1', 'a/1', 'b/1', 'b/2']);
  });

  test('if more documents would be deleted than allowed, none is, everything else is stored, and the job says why', async () => {
    const name = await storing.newCollection();
    await run(name, docs('1', '2', '3', '4', '5', '6', '7', '8'), { sourceName: 's' });
    const much = await run(name, docs('1', '9'), { mode: 'snapshot', sourceName: 's' });
    expect(much).toMatchObject({ state: 'failed', stored: 1, skipped: 1, gone: 0 });
    expect(much.error).toMatchObject({
      code: 'too_many_deletions',
      message: expect.stringMatching(/7 of the 9 .* 30% .*maxDeleted/),
    });
    expect(await storing.idsIn(name)).toHaveLength(9);
    const few = await run(name, docs('1', '2', '3', '4', '5', '6', '7'), {
      mode: 'snapshot',
      sourceName: 's',
    });
    expect(few).toMatchObject({ state: 'completed', gone: 2 });
    expect(await run(name, docs('1'), snapshot('s', { maxDeleted: '0.9' }))).toMatchObject({ gone: 6 });
  });

  test('documents that failed stay, and a retry of them deletes nothing', async () => {
    const name = await storing.newCollection();
    await run(name, docs('1', '2', '3'), { sourceName: 's' });
    storing.poison = 'poison';
    const lines = [...docs('1'), { id: '2', text: 'poison' }, { id: '3' }];
    const job = await run(name, lines, snapshot('s'));
    expect(job).toMatchObject({ state: 'completed', failed: 2, gone: 0 });
    await run(name, docs('later'), { sourceName: 's' });
    storing.poison = undefined;
    const { body } = await storing.api.json('POST', `/api/v1/jobs/${job.id}/retry`);
    expect(await storing.finished(body)).toMatchObject({
      mode: 'upsert',
      sourceName: 's',
      stored: 1,
      gone: 0,
    });
    expect(await storing.idsIn(name)).toEqual(['1', '2', '3', 'later']);
    expect(await run(name, docs('1'), snapshot('s'))).toMatchObject({ gone: 3 });
  });

  test('a line whose document cannot be identified prevents all deletions', async () => {
    const name = await storing.newCollection();
    await run(name, docs('1', '2'), { sourceName: 's' });
    const path = `/api/v1/collections/${name}/jobs?${new URLSearchParams(snapshot('s')).toString()}`;
    const body = '{"id":"1","text":"new"}\n{"id":"2", broken\n';
    const headers = { 'content-type': 'application/x-ndjson' };
    const response = await storing.api.call(path, { method: 'POST', body, headers });
    expect(await storing.finished((await response.json()) as { id: string })).toMatchObject({
      state: 'failed',
      stored: 1,
      failed: 1,
      gone: 0,
      error: { code: 'snapshot_incomplete' },
    });
    expect(await storing.idsIn(name)).toEqual(['1', '2']);
  });

  test('a document of another source is refused; what was asked wrong is said', async () => {
    const name = await storing.newCollection();
    const job = await run(name, [...docs('1'), { id: '2', text: 'x', source: 'other' }], snapshot('s'));
    expect(job).toMatchObject({ stored: 1, failed: 1 });
    const failures = await (await storing.api.call(`/api/v1/jobs/${job.id}/failures`)).text();
    expect(failures).toContain('foreign_source');
    const wrong = await storing.submit(name, docs('1'), { maxDeleted: '0.5' });
    expect(wrong).toMatchObject({ code: 'invalid_request', detail: expect.stringContaining('maxDeleted') });
    for (const query of [{ mode: 'sync' }, { mode: 'snapshot', maxDeleted: '101%' }])
      expect(await storing.submit(name, docs('1'), query)).toMatchObject({ code: 'invalid_request' });
  });

  test('in the order of acceptance: an older job’s documents are gone, a later one’s stay, of two snapshots the later one counts', async () => {
    const name = await storing.newCollection();
    await run(name, docs('kept', 'dropped', 'back'), { sourceName: 's' });
    const release = Promise.withResolvers<void>();
    const older = await storing.hold(name, docs('old', 'kept'), release.promise, { sourceName: 's' });
    const first = await storing.submit(name, docs('kept', 'first'), snapshot('s'));
    const second = await storing.submit(name, docs('kept', 'back', 'second'), snapshot('s'));
    const later = await run(name, docs('late'), { sourceName: 's' });
    expect(later).toMatchObject({ stored: 1 });
    expect((await storing.job(second.id)).state).not.toBe('completed');
    release.resolve();
    for (const job of [older, first, second])
      expect(await storing.finished(job)).toMatchObject({ state: 'completed' });
    expect(await storing.idsIn(name)).toEqual(['back', 'kept', 'late', 'second']);
  });

  test('a snapshot that was stopped because of its failures deletes nothing', async () => {
    const name = await storing.newCollection();
    await run(name, docs('1', '2'), { sourceName: 's' });
    const lines = [...docs('1'), { id: '3' }, { id: '4' }];
    const job = await run(name, lines, { ...snapshot('s'), maxFailures: '1' });
    expect(job).toMatchObject({ state: 'failed', error: { code: 'too_many_failures' }, gone: 0 });
    expect(await storing.idsIn(name)).toEqual(expect.arrayContaining(['1', '2']));
  });

  test('a snapshot that is cancelled deletes nothing', async () => {
    const name = await storing.newCollection();
    await run(name, docs('1', '2'), { sourceName: 's' });
    const release = Promise.withResolvers<void>();
    const older = await storing.hold(name, docs('3'), release.promise);
    const job = await storing.submit(name, docs('1'), snapshot('s'));
    await expect.poll(async () => (await storing.job(job.id)).done, { timeout: 60_000 }).toBe(1);
    await storing.api.json('POST', `/api/v1/jobs/${job.id}/cancel`);
    expect(await storing.finished(job)).toMatchObject({ state: 'cancelled', gone: 0 });
    release.resolve();
    await storing.finished(older);
    expect(await storing.idsIn(name)).toEqual(['1', '2', '3']);
  });
});
