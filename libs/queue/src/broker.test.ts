import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import type { QueryResult } from '@embedmill/jobs';
import { missingPostgres, startTestPostgres } from '@embedmill/postgres-server';
import {
  hasOpenssl,
  startTestCluster,
  startTestRedis,
  startTestSentinel,
  startTestTlsRedis,
} from '@embedmill/redis-server';
import type { Broker } from './broker.ts';
import type { QueueOptions } from './connection.ts';
import { ModelConsumer } from './model-consumer.ts';
import { newJobId } from './names.ts';
import { openBroker } from './open-broker.ts';
import { connectQueue, type Queue } from './queue.ts';
import { collection, MODEL } from './test-brokers.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const SECRET = 'sEcReT-12345';

async function open<T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> {
  const opened = await opening;
  closers.push(() => opened.close());
  return opened;
}

async function consume(options: QueueOptions): Promise<void> {
  const own = { shardConcurrency: 1, queryConcurrency: 4, lockMs: 1000, onError: () => {} };
  const consumer = await open(ModelConsumer.open({ ...options, ...own }));
  consumer.serve(MODEL, {
    query: async () => ({
      dims: 1,
      vectors: Float32Array.of(7),
      tokens: [1],
      truncated: [false],
      unknown: [false],
    }),
    shard: () => Promise.reject(new Error('no shards here')),
  });
}

const ask = (queue: Queue): Promise<QueryResult<'embed'>> =>
  queue.query({ task: 'embed', model: MODEL, inputs: ['x'], role: 'query' }, { timeoutMs: 1000 });

/** Asks again until there is an answer. */
async function answered(queue: Queue): Promise<QueryResult<'embed'>> {
  for (const deadline = Date.now() + 90_000; ; await setTimeout(50)) {
    try {
      return await ask(queue);
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

const job = () => ({
  id: newJobId(),
  collection,
  source: { kind: 'inline' as const, lines: ['{"id":"a","text":"x"}'] },
  label: 'inline',
  digest: 'd1',
  retryOf: null,
  purpose: 'ingest' as const,
});

describe('Redis', () => {
  test('one that may evict is refused, with what to do about it', async () => {
    const evicting = await startTestRedis(['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru']);
    closers.push(() => evicting.stop());
    const connecting = connectQueue({ redisUrl: evicting.url });
    await expect(connecting).rejects.toMatchObject({ code: 'queue_may_evict' });
    await expect(connecting).rejects.toThrow(/allkeys-lru.*noeviction/);
    const own = { shardConcurrency: 1, queryConcurrency: 1, lockMs: 1000, onError: () => {} };
    const consuming = ModelConsumer.open({ redisUrl: evicting.url, ...own });
    await expect(consuming).rejects.toMatchObject({ code: 'queue_may_evict' });
  });

  test('a cluster is refused when any of its masters may evict', async () => {
    const cluster = await startTestCluster();
    closers.push(() => cluster.stop());
    const node = new Redis(cluster.ports[2]!, '127.0.0.1');
    await node.config('SET', 'maxmemory-policy', 'volatile-lru');
    node.disconnect();
    await expect(connectQueue({ redisUrl: cluster.url })).rejects.toMatchObject({ code: 'queue_may_evict' });
  });

  test('calls fail within seconds while it is away', async () => {
    const redis = await startTestRedis();
    closers.push(() => redis.stop());
    const queue = await open(connectQueue({ redisUrl: redis.url }));
    await redis.stop();
    await expect(queue.getJob(newJobId())).rejects.toMatchObject({ code: 'queue_unavailable' });
  });

  test('when the master dies, the one that the sentinels choose goes on with the work', async () => {
    const sentinel = await startTestSentinel();
    closers.push(() => sentinel.stop());
    const options = { redisUrl: sentinel.url, redisSentinelPassword: sentinel.sentinelPassword };
    const queue = await open(connectQueue(options));
    await consume(options);
    const { job: before } = await queue.submit(job());
    await sentinel.waitForReplica();
    await sentinel.killMaster();
    expect([...(await answered(queue)).vectors]).toEqual([7]);
    expect((await queue.listJobs({ limit: 9 })).jobs.map(({ id }) => id)).toEqual([before.id]);
    await queue.submit(job());
  });

  test.skipIf(!hasOpenssl)(
    'a certificate of an authority that is not known is refused (skipped without openssl)',
    async () => {
      const redis = await startTestTlsRedis();
      closers.push(() => redis.stop());
      const broker = openBroker({ redisUrl: redis.url }, 2000);
      await expect(broker).rejects.toMatchObject({ code: 'queue_unavailable' });
      await expect(broker).rejects.toThrow(/certificate/);
      await expect(broker).rejects.not.toThrow(/test-password/);
    },
  );

  test('a file of certificates that is not there is named', async () => {
    const broker = openBroker({ redisUrl: `rediss://:${SECRET}@h`, redisTlsCa: '/nowhere/ca.pem' });
    await expect(broker).rejects.toMatchObject({ code: 'invalid_config' });
    await expect(broker).rejects.toThrow(/REDIS_TLS_CA: \/nowhere\/ca.pem/);
    await expect(broker).rejects.not.toThrow(SECRET);
  });
});

describe.skipIf(missingPostgres !== undefined)(
  missingPostgres === undefined ? 'PostgreSQL' : `PostgreSQL (skipped: ${missingPostgres})`,
  () => {
    test('calls fail while it is away, and work goes on when it is back', async () => {
      const postgres = await startTestPostgres();
      closers.push(() => postgres.stop());
      const options = { postgresUrl: postgres.url };
      const queue = await open(connectQueue(options));
      await consume(options);
      const { job: before } = await queue.submit(job());
      expect([...(await ask(queue)).vectors]).toEqual([7]);
      await postgres.kill();
      await expect(queue.getJob(before.id as never)).rejects.toMatchObject({ code: 'queue_unavailable' });
      await postgres.start();
      expect([...(await answered(queue)).vectors]).toEqual([7]);
      expect((await queue.listJobs({ limit: 9 })).jobs.map(({ id }) => id)).toEqual([before.id]);
    });

    test('an address that leads nowhere is refused, without its password', async () => {
      const broker = openBroker({ postgresUrl: `postgres://u:${SECRET}@127.0.0.1:1/db` });
      await expect(broker).rejects.toMatchObject({ code: 'queue_unavailable' });
      await expect(broker).rejects.not.toThrow(SECRET);
    });

    test.each(['postgres://[', 'postgres://u:pw@host:x/db'])(
      '%s is refused as a setting',
      async (postgresUrl) => {
        const broker = openBroker({ postgresUrl });
        await expect(broker).rejects.toMatchObject({ code: 'invalid_config' });
        await expect(broker).rejects.toThrow(/expected postgres:/);
      },
    );
  },
);

describe.each([
  {
    name: 'Redis',
    missing: undefined,
    async start(): Promise<QueueOptions> {
      const redis = await startTestRedis();
      closers.push(() => redis.stop());
      return { redisUrl: redis.url };
    },
  },
  {
    name: 'PostgreSQL',
    missing: missingPostgres,
    async start(): Promise<QueueOptions> {
      const postgres = await startTestPostgres();
      closers.push(() => postgres.stop());
      return { postgresUrl: postgres.url };
    },
  },
])('what is kept beside the queues, by $name', ({ missing, start }) => {
  test.skipIf(missing !== undefined)('values are replaced, end, and are taken once only', async () => {
    const broker = await open<Broker>(openBroker(await start()));
    expect(await broker.get('a')).toBeNull();
    await broker.set('a', '1', 60);
    await broker.set('a', '2', 60);
    expect(await broker.get('a')).toBe('2');
    await broker.delete('a');
    expect(await broker.get('a')).toBeNull();
    const taken = await Promise.all([1, 2, 3].map((n) => broker.setIfAbsent('b', String(n), 1)));
    expect(taken.filter(Boolean)).toHaveLength(1);
    for (const deadline = Date.now() + 90_000; (await broker.get('b')) !== null; await setTimeout(20))
      expect(Date.now()).toBeLessThan(deadline);
    expect(await broker.setIfAbsent('b', '4', 60)).toBe(true);
  });

  test.skipIf(missing !== undefined)('a large message arrives whole, at its channel only', async () => {
    const options = await start();
    const [receiver, other, sender] = await Promise.all(
      [1, 2, 3].map(() => open<Broker>(openBroker(options))),
    );
    const received = Promise.withResolvers<Uint8Array>();
    const strays: Uint8Array[] = [];
    await receiver!.subscribe('here', received.resolve);
    await other!.subscribe('there', (message) => strays.push(message));
    const message = Buffer.alloc(300_000, 'vector');
    await sender!.publish('here', message);
    expect(Buffer.compare(Buffer.from(await received.promise), message)).toBe(0);
    expect(strays).toEqual([]);
  });
});
