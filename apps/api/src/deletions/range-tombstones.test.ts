import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  DEFAULT_TENANT,
  EmbedmillError,
  type CollectionName,
  type DocumentId,
  type Job,
  type JobId,
} from '@embedmill/jobs';
import { recoverJobs } from '../dispatch/recovery.ts';
import { startStoringApi, STORES, type StoringApi } from '../testing/storing-api.ts';

/**
 * Late writes with an older sequence than a deletion that named no documents and did not find them: the result is as if
 * both had run in the order of acceptance.
 */
describe.each(STORES)('on %s', (_name, open) => {
  let storing: StoringApi;
  let api: StoringApi['api'];
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'embedmill-late-'));
    storing = await startStoringApi(open, { sourceFolder: folder });
    api = storing.api;
  });
  afterAll(async () => {
    await api?.close();
    await rm(folder, { recursive: true, force: true });
  });
  afterEach(() => {
    storing.poison = undefined;
    vi.restoreAllMocks();
  });

  const line = (id: string, year: number, text = id) => ({ id, text, metadata: { year } });
  const snapshot = { mode: 'snapshot', sourceName: 's', maxDeleted: '1' };
  const run = async (name: string, lines: readonly object[], query?: Record<string, string>) =>
    storing.finished(await storing.submit(name, lines, query));
  const remove = async (name: string, filter: object, more: object = {}): Promise<Job> =>
    (await api.json('POST', `/api/v1/collections/${name}/documents/delete`, { filter, ...more })).body as Job;
  const old = { field: 'year', lt: 2000 };
  const retry = async ({ id }: Job): Promise<Job> =>
    (await api.json('POST', `/api/v1/jobs/${id}/retry`)).body;
  const ranges = (name: string) => api.parts.spool.rangeTombstones.list(name);

  /** A job whose documents with this text failed. */
  async function failing(name: string, lines: readonly object[], query?: Record<string, string>) {
    storing.poison = 'poison';
    const job = await run(name, lines, query);
    storing.poison = undefined;
    return job;
  }

  test('after a deletion by a filter, of a retry those that it is for are superseded, and others stored', async () => {
    const name = await storing.newCollection();
    await run(name, [line('edited', 2020)]);
    const job = await failing(name, [
      line('old', 1990, 'poison'),
      line('new', 2020, 'poison'),
      line('edited', 1990, 'poison'),
      line('again', 1990, 'poison'),
    ]);
    expect(job).toMatchObject({ failed: 4 });
    await storing.finished(await remove(name, old));
    await run(name, [line('again', 1991)]);
    const again = await storing.finished(await retry(job));
    // The resubmitted document has been decided since; the older one is gone together with its edit.
    expect(again).toMatchObject({ documents: 4, stored: 1, superseded: 3, failed: 0 });
    expect(await storing.idsIn(name)).toEqual(['again', 'new']);
    // When retried, they find the deletion.
    expect(await storing.finished(await retry(job))).toMatchObject({ skipped: 1, superseded: 3 });
    expect(await storing.idsIn(name)).toEqual(['again', 'new']);
  });

  test('a version that failed before a deletion by a filter found an older one is held against the filter by itself', async () => {
    const name = await storing.newCollection();
    await run(
      name,
      ['matches', 'does-not', 'kept'].map((id) => line(id, 1990)),
    );
    const failed = await failing(name, [
      line('matches', 1991, 'poison'),
      line('does-not', 2020, 'poison'),
      line('never', 2020, 'poison'),
    ]);
    // Nothing in this job can be retried.
    await run(name, [line('kept', 2021)]);
    expect(await storing.finished(await remove(name, old))).toMatchObject({ deleted: 2 });
    expect(await storing.idsIn(name)).toEqual(['kept']);
    expect(await storing.finished(await retry(failed))).toMatchObject({
      stored: 2,
      superseded: 1,
      failed: 0,
    });
    expect(await storing.idsIn(name)).toEqual(['does-not', 'kept', 'never']);
  });

  test('of two versions that failed, the older one does not come back after the deletion, nor over the later one', async () => {
    const name = await storing.newCollection();
    const first = await failing(name, [line('x', 2001, 'poison first')]);
    await run(name, [line('x', 1990)]);
    const second = await failing(name, [line('x', 2002, 'poison second')]);
    await storing.finished(await remove(name, old));
    expect(await storing.finished(await retry(first))).toMatchObject({ stored: 0, superseded: 1 });
    expect(await storing.idsIn(name)).toEqual([]);
    expect(await storing.finished(await retry(second))).toMatchObject({ stored: 1, superseded: 0 });
    expect(await storing.finished(await retry(first))).toMatchObject({ stored: 0, superseded: 1 });
    expect(await storing.idsIn(name)).toEqual(['x']);
  });

  test('a version that gave way to a deletion keeps no later version away that the deletion was not for', async () => {
    const name = await storing.newCollection();
    const first = await failing(name, [line('x', 1990, 'poison first')]);
    const second = await failing(name, [line('x', 2020, 'poison second')]);
    await storing.finished(await remove(name, old));
    expect(await storing.finished(await retry(first))).toMatchObject({ stored: 0, superseded: 1 });
    expect(await storing.finished(await retry(second))).toMatchObject({ stored: 1, superseded: 0 });
    expect(await storing.idsIn(name)).toEqual(['x']);
  });

  test('a version of another source that failed before a snapshot found an older one is not gone with it', async () => {
    const name = await storing.newCollection();
    await run(name, [line('moved', 1), line('stays', 1)], { sourceName: 's' });
    const moved = await failing(name, [line('moved', 2, 'poison')], { sourceName: 'other' });
    const changed = await failing(name, [line('stays', 2, 'poison')], { sourceName: 's' });
    expect(await run(name, [line('new', 3)], snapshot)).toMatchObject({ gone: 2 });
    expect(await storing.idsIn(name)).toEqual(['new']);
    expect(await storing.finished(await retry(moved))).toMatchObject({ stored: 1, superseded: 0 });
    expect(await storing.finished(await retry(changed))).toMatchObject({ stored: 0, superseded: 1 });
    expect(await storing.idsIn(name)).toEqual(['moved', 'new']);
  });

  test('what was deleted by its id stays deleted, whatever a retry of an older job brings', async () => {
    const name = await storing.newCollection();
    await run(name, [line('x', 1990), line('y', 1990)]);
    const failed = await failing(name, [line('x', 2020, 'poison'), line('y', 2020, 'poison')]);
    await api.json('DELETE', `/api/v1/collections/${name}/documents/x`);
    await run(name, [{ id: 'y', deleted: true }]);
    expect(await storing.finished(await retry(failed))).toMatchObject({ stored: 0, superseded: 2 });
    expect(await storing.idsIn(name)).toEqual([]);
  });

  test.each(['before', 'after'])(
    'a dispatcher that dies %s it deletes what gives way counts each document once',
    async (when) => {
      const name = await storing.newCollection();
      const job = await failing(name, [line('old', 1990, 'poison'), line('new', 2020, 'poison')]);
      await storing.finished(await remove(name, old));
      const { store } = api.parts;
      const own = store.deleteDocuments.bind(store);
      const deletes = vi.spyOn(store, 'deleteDocuments').mockImplementationOnce(async (...asked) => {
        if (when === 'after') await own(...asked);
        throw new EmbedmillError('store_unavailable', 'it is away');
      });
      expect(await storing.finished(await retry(job))).toMatchObject({ stored: 1, superseded: 1 });
      expect(deletes).toHaveBeenCalled();
      expect(await storing.idsIn(name)).toEqual(['new']);
    },
  );

  test('a deletion of one tenant’s documents is for no other’s', async () => {
    const name = await storing.newCollection();
    const of = (tenant: string) => ({ ...line('x', 1990, 'poison'), tenant });
    const job = await failing(name, [of('a'), of('b')]);
    await storing.finished(await remove(name, old, { tenant: 'a' }));
    expect(await storing.finished(await retry(job))).toMatchObject({ stored: 1, superseded: 1 });
    expect(await storing.idsIn(name)).toEqual(['b/x']);
  });

  test('after a snapshot, of a retry those of its source that it lacks are superseded', async () => {
    const name = await storing.newCollection();
    const some = ['had', 'lacked', 'failed'].map((id) => line(id, 1, 'poison'));
    const job = await failing(name, some, { sourceName: 's' });
    const other = await failing(name, [line('other', 1, 'poison')], { sourceName: 'other' });
    const foreign = await failing(name, [{ ...line('lacked', 1, 'poison'), tenant: 'acme' }], {
      sourceName: 's',
    });
    expect(await failing(name, [line('had', 2), line('failed', 2, 'poison')], snapshot)).toMatchObject({
      state: 'completed',
      stored: 1,
      failed: 1,
      gone: 0,
    });
    expect(await storing.finished(await retry(job))).toMatchObject({ stored: 1, superseded: 2 });
    for (const one of [other, foreign])
      expect(await storing.finished(await retry(one))).toMatchObject({ stored: 1, superseded: 0 });
    expect(await storing.idsIn(name)).toEqual(['acme/lacked', 'failed', 'had', 'other']);
  });

  test('a deletion that was refused, or cancelled before its search, never deletes anything', async () => {
    const name = await storing.newCollection();
    await run(
      name,
      ['1', '2', '3'].map((id) => line(id, 2020)),
      { sourceName: 's' },
    );
    const job = await failing(name, [line('late', 1990, 'poison')], { sourceName: 's' });
    const refused = await run(name, [line('1', 2020)], { mode: 'snapshot', sourceName: 's' });
    expect(refused).toMatchObject({ state: 'failed', error: { code: 'too_many_deletions' } });
    const release = Promise.withResolvers<void>();
    const held = await storing.hold(name, [line('held', 2020)], release.promise, { sourceName: 's' });
    const cancelled = await remove(name, old);
    await api.json('POST', `/api/v1/jobs/${cancelled.id}/cancel`);
    expect(await storing.finished(cancelled)).toMatchObject({ state: 'cancelled' });
    release.resolve();
    await storing.finished(held);
    expect(await ranges(name)).toEqual([]);
    expect(await storing.finished(await retry(job))).toMatchObject({ stored: 1, superseded: 0 });
    expect(await storing.idsIn(name)).toEqual(['1', '2', '3', 'held', 'late']);
  });

  test.each(['ends', 'is cancelled'])(
    'a retry that comes while a deletion is at it waits for whether that %s',
    async (how) => {
      const name = await storing.newCollection();
      const job = await failing(name, [line('old', 1990), line('late', 1990, 'poison')]);
      const release = Promise.withResolvers<void>();
      const deletion = await storing.holdBack(() => remove(name, old), release.promise);
      const isRunning = async () => (await storing.job(deletion.id)).state;
      await expect.poll(isRunning).toBe('running');
      const late = await retry(job);
      await expect.poll(async () => (await storing.job(late.id)).stored).toBe(1);
      expect(await storing.job(late.id)).toMatchObject({ state: 'running' });
      if (how === 'is cancelled') await api.json('POST', `/api/v1/jobs/${deletion.id}/cancel`);
      release.resolve();
      const state = (await storing.finished(deletion)).state;
      const { stored, superseded } = await storing.finished(late);
      // It may have ended before it was cancelled.
      const isGone = state === 'completed';
      expect({ stored, superseded }).toEqual(
        isGone ? { stored: 0, superseded: 1 } : { stored: 1, superseded: 0 },
      );
      if (how === 'ends') expect(state).toBe('completed');
      expect((await storing.idsIn(name)).includes('late')).toBe(!isGone);
    },
  );

  test('a deletion that waits for older jobs waits for a retry, too, and finds what that stores', async () => {
    const name = await storing.newCollection();
    const job = await failing(name, [line('late', 1990, 'poison')]);
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const older = await storing.hold(name, [line('older', 1990)], first.promise);
    const deletion = await remove(name, old);
    const late = await storing.holdBack(() => retry(job), second.promise);
    first.resolve();
    await storing.finished(older);
    second.resolve();
    expect(await storing.finished(late)).toMatchObject({ stored: 1 });
    expect(await storing.finished(deletion)).toMatchObject({ state: 'completed', deleted: 2 });
    expect(await storing.idsIn(name)).toEqual([]);
  });

  test('what a verification submits again is held against later deletions', async () => {
    const name = await storing.newCollection();
    const path = `${name}.ndjson`;
    const lines = [line('old', 1990), line('new', 2020)];
    await writeFile(join(folder, path), lines.map((one) => `${JSON.stringify(one)}\n`).join(''));
    const asked = { source: { path } };
    const { body } = await api.json('POST', `/api/v1/collections/${name}/jobs`, asked);
    const job = await storing.finished(body);
    // The store loses the documents.
    const { store } = api.parts;
    const keys = ['old', 'new'].map((id) => ({ tenant: DEFAULT_TENANT, id: id as DocumentId }));
    await store.deleteDocuments(name as CollectionName, keys, job.sequence);
    await store.purgeTombstones(name as CollectionName, Number.MAX_SAFE_INTEGER);
    expect(await storing.idsIn(name)).toEqual([]);
    await storing.finished(await remove(name, old));
    const verified = await api.json('POST', `/api/v1/jobs/${job.id}/verify`);
    expect(verified.body).toMatchObject({ missing: 2 });
    const { resubmitted } = verified.body as { resubmitted: string };
    expect(await storing.finished({ id: resubmitted })).toMatchObject({ stored: 1, superseded: 1 });
    expect(await storing.idsIn(name)).toEqual(['new']);
    expect((await api.json('POST', `/api/v1/jobs/${job.id}/verify`)).body).toMatchObject({ missing: 0 });
  });

  test('a job that the queue lost, and that is given back after a later deletion, is held against it', async () => {
    const name = await storing.newCollection();
    await api.json('POST', '/api/v1/queue/pause');
    const lost = await storing.submit(name, [line('old', 1990), line('new', 2020)]);
    await api.parts.queue.remove(lost.id as JobId);
    const deletion = await remove(name, old);
    await api.json('POST', '/api/v1/queue/resume');
    expect(await storing.finished(deletion)).toMatchObject({ state: 'completed' });
    await recoverJobs(api.parts);
    expect(await storing.finished(lost)).toMatchObject({ stored: 1, superseded: 1 });
    expect(await storing.idsIn(name)).toEqual(['new']);
  });

  test('cut short at each of its calls, it goes on', async () => {
    const name = await storing.newCollection();
    const job = await failing(name, [line('old', 1990, 'poison'), line('lacked', 2020, 'poison')]);
    await storing.finished(await remove(name, old));
    await run(name, [line('had', 2020)], { mode: 'snapshot', maxDeleted: '1' });
    const { store, spool } = api.parts;
    const away = () => Promise.reject(new EmbedmillError('store_unavailable', 'it is away'));
    const deletes = vi.spyOn(store, 'deleteDocuments').mockImplementationOnce(away);
    const reads = vi.spyOn(spool.rangeTombstones, 'readKeys').mockImplementationOnce(() => {
      throw new EmbedmillError('spool_unavailable', 'it is away');
    });
    expect(await storing.finished(await retry(job))).toMatchObject({ stored: 0, superseded: 2 });
    expect(deletes.mock.calls.length).toBeGreaterThan(2);
    expect(reads.mock.calls.length).toBeGreaterThan(1);
    expect(await storing.idsIn(name)).toEqual(['had']);
  });
});
