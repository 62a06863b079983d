import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { runFault } from './fault-case.ts';

/** A worker that is connected and has work, but makes no progress: its store accepts requests and never answers. */
let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start({
    env: { EMBEDMILL_WORKER_BATCH_SECONDS: '5', EMBEDMILL_WORKER_WATCHDOG_SECONDS: '10' },
  });
});
afterAll(() => cluster?.stop());

const healthz = async () => (await fetch(new URL('/healthz', cluster.url('worker')))).status;

test('a worker without progress logs it and exits', async () => {
  expect((await fetch(new URL('/startupz', cluster.url('worker')))).status).toBe(200);
  await runFault(cluster, {
    fault: 'a worker without progress for 10 s exits with 1 and is restarted',
    async inject() {
      expect(await healthz()).toBe(200);
      const ended = cluster.ended('worker');
      cluster.signal('store', 'SIGSTOP');
      try {
        await cluster.until('the worker is not live', async () => (await healthz()) === 503, 30);
        expect(await ended).toBe(1);
        expect(await cluster.log('worker')).toContain('no progress despite pending work');
      } finally {
        cluster.signal('store', 'SIGCONT');
      }
      await cluster.start('worker');
    },
  });
});
