import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFakeQdrant, type FakeQdrant } from '../../libs/vector-store/src/qdrant/fake-qdrant.ts';
import { Cluster } from './cluster.ts';
import { runFault } from './fault-case.ts';
import { StoreProxy, type StoreFault } from './store-proxy.ts';

/**
 * A store that answers badly or not at all: Qdrant at QDRANT_URL, or else the fake one, behind a proxy that disturbs
 * the traffic.
 */
let fake: FakeQdrant | undefined;
let proxy: StoreProxy;
let cluster: Cluster;

beforeAll(async () => {
  const url = process.env['QDRANT_URL'];
  if (url === undefined) fake = await startFakeQdrant();
  proxy = await StoreProxy.start(url ?? fake?.url ?? '');
  cluster = await Cluster.start({ qdrantUrl: proxy.url });
});
afterAll(async () => {
  await cluster?.stop();
  await proxy?.close();
  await fake?.close();
});

const STORE = process.env['QDRANT_URL'] === undefined ? 'the fake Qdrant' : 'Qdrant';

test.each([
  ['429 for 6 s', { kind: 'status', status: 429, headers: { 'retry-after': '1' } }, 6],
  ['500 for 6 s', { kind: 'status', status: 500 }, 6],
  ['503 for 6 s', { kind: 'status', status: 503 }, 6],
  ['breaks every connection for 6 s', { kind: 'reset' }, 6],
  ['takes 2 s longer for each request, for 10 s', { kind: 'slow', ms: 2000 }, 10],
  ['never answers the requests of 3 s', { kind: 'silence' }, 3],
] satisfies [string, StoreFault, number][])('a store that answers %s', async (what, spoiled, seconds) => {
  await runFault(cluster, {
    fault: `${STORE}: ${what}`,
    async inject() {
      proxy.hits = 0;
      proxy.fault = spoiled;
      await setTimeout(seconds * 1000);
      proxy.fault = { kind: 'none' };
      expect(proxy.hits).toBeGreaterThan(0);
    },
  });
  expect(fake?.violations ?? []).toEqual([]);
});
