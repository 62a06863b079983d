import { fork } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { openQdrantStore } from '@embedmill/vector-store';
import { startFakeQdrant, type FakeQdrant } from '@embedmill/vector-store/fake-qdrant';
import { startStoringApi, type StoringApi } from '../testing/storing-api.ts';

/** Jobs that give way to later deletions, over whose documents dispatchers are killed: each is counted once. */
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
  const lines = [1990, 1991, 2020, 2021].map((year) => ({
    id: `${year}`,
    text: 'poison',
    metadata: { year },
  }));
  const failed = await storing.finished(await storing.submit(name, lines));
  expect(failed).toMatchObject({ failed: 4 });
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
    documents: 4,
    stored: 2,
    superseded: 2,
    failed: 0,
  });
  expect(await storing.idsIn(name)).toEqual(['2020', '2021']);
});
