import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestSentinel, type TestSentinel } from '@embedmill/redis-server';
import { Embedmill, ndjson } from '../embedmill.ts';

let sentinel: TestSentinel;
let mill: Embedmill;

beforeAll(async () => {
  sentinel = await startTestSentinel();
  mill = await Embedmill.up({
    env: { REDIS_URL: sentinel.url, REDIS_SENTINEL_PASSWORD: sentinel.sentinelPassword },
  });
});
afterAll(async () => {
  await mill?.stop();
  await sentinel?.stop();
});

test('a job continues with exact counts if the master dies meanwhile', async () => {
  const name = await mill.collection('sentinel');
  const documents = Array.from({ length: 4000 }, (_, n) => ({
    id: `d${n}`,
    text: `the document of number ${n} says some more words than the number alone`,
  }));
  const job = await mill.submit(name, ndjson(documents));
  await mill.underWay(job);
  await sentinel.killMaster();
  expect(await mill.finished(job)).toMatchObject({
    state: 'completed',
    documents: 4000,
    done: 4000,
    stored: 4000,
    failed: 0,
  });
  expect((await mill.json<{ points: number }>(`/api/v1/collections/${name}`)).points).toBe(4000);
  expect(await mill.search(name, { query: 'the document of number 77', limit: 1 })).toHaveLength(1);
});
