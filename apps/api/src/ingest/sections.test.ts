import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  DEFAULT_TENANT,
  type CollectionName,
  type DocumentId,
  type Job,
  type JobId,
  type Verification,
} from '@embedmill/jobs';
import { startStoringApi, STORES, type StoringApi } from '../testing/storing-api.ts';

/** Each line takes about a kilobyte, so that each of the first two is a section. */
const PADDING = 'x'.repeat(960);
const line = (id: string, text: string) => ({ id, text, metadata: { padding: PADDING } });

describe.each(STORES)('in %s', (_, open) => {
  let storing: StoringApi;
  beforeAll(async () => {
    storing = await startStoringApi(open, { sectionBytes: 1024 });
  });
  afterAll(() => storing.api.close());

  const record = (job: Job) => storing.api.parts.queue.getSubmission(job.id as JobId);

  async function texts(name: string): Promise<Record<string, string>> {
    const { body } = await storing.api.json('GET', `/api/v1/collections/${name}/points`);
    const { points } = body as { points: { id: string; text: string }[] };
    return Object.fromEntries(points.map(({ id, text }) => [id, text]));
  }

  test('of a document in several sections the last line wins, whichever is written first', async () => {
    const name = await storing.newCollection();
    for (let round = 0; round < 5; round += 1) {
      const lines = ['a', 'b', 'c', 'd', 'a', 'b', 'e', 'a'].map((id, n) => line(id, `${round} at ${n}`));
      const job = await storing.finished(await storing.submit(name, lines));
      expect((await record(job))?.sections?.length).toBe(4);
      expect(job).toMatchObject({ state: 'completed', scanned: true, documents: 8, done: 8, failed: 0 });
      expect(job.stored + job.duplicates + job.superseded).toBe(8);
      expect(await texts(name)).toEqual({
        a: `${round} at 7`,
        b: `${round} at 5`,
        c: `${round} at 2`,
        d: `${round} at 3`,
        e: `${round} at 6`,
      });
    }
  });

  test('a tombstone in a later section deletes what an earlier one has, and a document behind it comes back', async () => {
    const name = await storing.newCollection();
    const lines = [
      line('gone', 'one'),
      line('back', 'one'),
      line('c', 'one'),
      line('d', 'one'),
      { id: 'gone', deleted: true, metadata: undefined },
      { id: 'back', deleted: true },
      line('e', 'one'),
      line('f', 'one'),
      line('back', 'two'),
    ];
    await storing.finished(await storing.submit(name, lines));
    expect(await texts(name)).toEqual({ back: 'two', c: 'one', d: 'one', e: 'one', f: 'one' });
  });

  test('a line that failed and is retried wins over earlier lines of its job, and not over later ones', async () => {
    const name = await storing.newCollection();
    storing.poison = 'poison';
    const lines = [
      line('early', 'poison early'),
      line('late', 'first'),
      line('c', 'c'),
      line('d', 'd'),
      line('early', 'last'),
      line('late', 'poison late'),
      line('g', 'g'),
    ];
    const job = await storing.finished(await storing.submit(name, lines));
    expect(job).toMatchObject({ state: 'completed', stored: 5, failed: 2 });
    expect(await texts(name)).toMatchObject({ early: 'last', late: 'first' });
    storing.poison = 'poison late';
    const { body: again } = await storing.api.json('POST', `/api/v1/jobs/${job.id}/retry`);
    const retried = await storing.finished(again as Job);
    expect(retried).toMatchObject({ documents: 2, superseded: 1, failed: 1, sequence: job.sequence });
    storing.poison = undefined;
    const { body: third } = await storing.api.json('POST', `/api/v1/jobs/${retried.id}/retry`);
    expect(await storing.finished(third as Job)).toMatchObject({ documents: 1, stored: 1 });
    expect(await texts(name)).toMatchObject({ early: 'last', late: 'poison late' });
  });

  test('a later job wins over all sections, also where it finds its document unchanged in the meantime', async () => {
    const name = await storing.newCollection();
    const release = Promise.withResolvers<void>();
    await storing.finished(await storing.submit(name, [line('a', 'new')]));
    const held = await storing.hold(
      name,
      [line('a', 'old'), line('b', 'b'), line('c', 'c'), line('d', 'd'), line('a', 'old again')],
      release.promise,
    );
    await storing.finished(await storing.submit(name, [line('a', 'new')]));
    release.resolve();
    await storing.finished(held);
    expect(await texts(name)).toEqual({ a: 'new', b: 'b', c: 'c', d: 'd' });
  });

  test('verify finds what is missing of any section, and submits it under the sequence of that', async () => {
    const name = await storing.newCollection();
    Object.assign(storing, { poison: 'poison', lost: 'lost' });
    const words: Record<string, string> = { b: 'lost', e: 'lost', g: 'poison' };
    const lines = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((id, n) => line(id, `${words[id] ?? 'text'} ${n}`));
    const job = await storing.finished(await storing.submit(name, lines));
    Object.assign(storing, { poison: undefined, lost: undefined });
    const { body } = await storing.api.json('POST', `/api/v1/jobs/${job.id}/verify`);
    const found = body as Verification;
    expect(found).toMatchObject({ documents: 7, failed: 1, missing: 2, missingIds: ['b', 'e'] });
    await storing.finished({ id: found.resubmitted ?? '' });
    const keys = ['b', 'e'].map((id) => ({ tenant: DEFAULT_TENANT, id: id as DocumentId }));
    const written = await storing.api.parts.store.findDocuments(name as CollectionName, keys);
    // Of the first and the third section.
    expect(written.map((one) => one?.decided)).toEqual([job.sequence, job.sequence + 4]);
    expect(Object.keys(await texts(name))).toEqual(expect.arrayContaining(['a', 'b', 'c', 'd', 'e', 'f']));
  });

  test('a snapshot and a small source are scanned as a whole', async () => {
    const name = await storing.newCollection();
    const lines = ['a', 'b', 'c', 'd'].map((id) => line(id, id));
    const snapshot = await storing.finished(
      await storing.submit(name, lines, { mode: 'snapshot', sourceName: 's' }),
    );
    const small = await storing.finished(await storing.submit(name, [{ id: 'e', text: 'e' }]));
    for (const job of [snapshot, small]) expect((await record(job))?.sections).toBeUndefined();
  });
});
