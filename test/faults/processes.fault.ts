import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster, LOCK_SECONDS } from './cluster.ts';
import { runFault, stopFor } from './fault-case.ts';

/** Processes that die, or stop for longer than their lock. Parts that can have replicas have two. */
let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start({
    apis: 2,
    workers: 2,
    qdrantUrl: process.env['QDRANT_URL'],
    env: { EMBEDMILL_WORKER_BATCH_SECONDS: '6' },
  });
});
afterAll(() => cluster?.stop());

const STOPPED_SECONDS = 2 * LOCK_SECONDS + 2;
const has = (name: string) => process.env['QDRANT_URL'] === undefined || name !== 'store';

test('SIGKILL of a worker', async () => {
  await runFault(cluster, {
    fault: 'SIGKILL of one of two workers',
    inject: async () => void (await cluster.end('worker-1')),
  });
  await cluster.start('worker-1');
});

test('SIGKILL of both workers', async () => {
  await runFault(cluster, {
    fault: 'SIGKILL of all workers, then restarted',
    async inject() {
      await Promise.all(['worker-1', 'worker-2'].map((name) => cluster.end(name)));
      await Promise.all(['worker-1', 'worker-2'].map((name) => cluster.start(name)));
    },
  });
});

test('SIGKILL of the engines', async () => {
  await runFault(cluster, {
    fault: 'SIGKILL of every engine, three times',
    async inject() {
      for (let times = 0; times < 3; times += 1) {
        for (const worker of ['worker-1', 'worker-2'])
          for (const pid of await cluster.engines(worker)) process.kill(pid, 'SIGKILL');
        await setTimeout(400);
      }
    },
  });
});

test('SIGKILL of an API with its dispatcher', async () => {
  await runFault(cluster, {
    fault: 'SIGKILL of one of two APIs with their dispatchers, then of the other',
    async inject() {
      await cluster.end('api-1');
      await cluster.start('api-1');
      await cluster.end('api-2');
      await cluster.start('api-2');
    },
  });
});

test.skipIf(!has('store'))('SIGKILL of the store', async () => {
  await runFault(cluster, {
    fault: 'SIGKILL of the embedded store, restarted after 3 s',
    async inject() {
      await cluster.end('store');
      await setTimeout(3000);
      await cluster.start('store');
    },
  });
});

test('SIGKILL of everything', async () => {
  await runFault(cluster, {
    fault: 'SIGKILL of all processes at once',
    async inject() {
      await Promise.all(cluster.names.map((name) => cluster.end(name)));
      await cluster.startAll();
    },
  });
});

test.each(['worker-1', 'api-1', 'api-2', 'store', 'redis'].filter(has))(
  'SIGSTOP of %s for longer than the lock',
  async (name) => {
    await runFault(cluster, {
      fault: `SIGSTOP of ${name} for ${STOPPED_SECONDS} s, with locks of ${LOCK_SECONDS} s`,
      inject: () => stopFor(cluster.pid(name), STOPPED_SECONDS),
    });
  },
);

test('SIGSTOP of the engines', async () => {
  await runFault(cluster, {
    fault: 'permanent SIGSTOP of an engine, with a limit of 6 s a batch: its worker starts another',
    async inject() {
      const [engine] = await cluster.engines('worker-1');
      process.kill(engine!, 'SIGSTOP');
      // Its worker kills it and starts another one.
      await cluster.until('the engine was replaced', async () => {
        const engines = await cluster.engines('worker-1');
        return engines.length > 0 && !engines.includes(engine!);
      });
    },
  });
});

test('SIGTERM under load', async () => {
  let drained = 0;
  await runFault(cluster, {
    fault: 'SIGTERM of a worker under load, which drains and exits with 0',
    async inject() {
      const start = performance.now();
      expect(await cluster.end('worker-1', 'SIGTERM')).toBe(0);
      drained = (performance.now() - start) / 1000;
      await cluster.start('worker-1');
    },
  });
  expect(drained).toBeLessThan(30);
});

test('SIGTERM of an API under load', async () => {
  await runFault(cluster, {
    fault: 'SIGTERM of both APIs under load, which exit with 0',
    async inject() {
      expect(await cluster.end('api-1', 'SIGTERM')).toBe(0);
      expect(await cluster.end('api-2', 'SIGTERM')).toBe(0);
      await Promise.all([cluster.start('api-1'), cluster.start('api-2')]);
    },
  });
});
