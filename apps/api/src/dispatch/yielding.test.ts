import { fork } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { openQdrantStore } from '@embedmill/vector-store';
import { startFakeQdrant, type FakeQdrant } from '@embedmill/vector-store/fake-qdrant';
import { startStoringApi, type StoringApi } from '../testing/storing-api.ts';

/** Jobs that yield to later deletions while dispatchers are killed: each document is counted exactly once. */
const OLD = 1100;

let fake: FakeQdrant;
let storing: StoringApi;

beforeAll(async () => {
  fake = await startFakeQdrant();
  storing = await startStoringApi(async () => ({
    store: await openQdrantStore({ url: fake.url }),
    close: fake.close,
  }));
});
afterAll(() => storing?.api.close());

test.each([
  ['leaves right counts', []],
  ['and whose job has lost its source, leaves right counts', ['losesSource']],
])('a dispatcher that is killed when it has deleted, and before it has said so, %s', async (_what, loses) => {
  const { api } = storing;
  const name = await storing.newCollection();
  storing.poison = 'poison';
  // More than one page.
  const years = [...Array.from({ length: OLD }, () => 1990), 2020, 2021];
  const lines = years.map((year, n) => ({ id: `${n}`, text: 'poison', metadata: { year } }));
  const failed = await storing.finished(await storing.submit(name, lines));
  expect(failed).toMatchObject({ failed: OLD + 2 });
  storing.poison = undefined;
  const filter = { field: 'year', lt: 2000 };
  const deletion = await api.json('POST', `/api/v1/collections/${name}/documents/delete`, { filter });
  await storing.finished(deletion.body as Job);

  await storing.dispatcher.close();
  const address = JSON.stringify({ redisUrl: api.redisUrl });
  const entry = new URL('./dying-dispatcher.fixture.ts', import.meta.url);
  const retry = await api.json('POST', `/api/v1/jobs/${failed.id}/retry`);
  const dying = fork(entry, [address, api.spoolFolder, 'deleteDocuments', fake.url, ...loses], {
    execArgv: [],
  });
  const [, signal] = (await once(dying, 'exit')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  storing.dispatcher = await api.dispatch();
  expect(await storing.finished(retry.body as Job)).toMatchObject({
    state: 'completed',
    documents: OLD + 2,
    stored: 2,
    superseded: OLD,
    failed: 0,
  });
  expect(await storing.idsIn(name)).toEqual([`${OLD}`, `${OLD + 1}`]);
});
