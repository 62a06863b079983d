import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { uniqueName } from '../embedmill.ts';
import { Cluster } from './cluster.ts';
import { faultLines, reports, runFault } from './fault-case.ts';

/** The queue's Redis: away, out of memory, or back with less data than it had. */
let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start({ qdrantUrl: process.env['QDRANT_URL'] });
});
afterAll(() => cluster?.stop());

/** Redis' append-only file. */
async function appendedFile(): Promise<string> {
  const folder = join(cluster.data, 'redis', 'appendonlydir');
  const name = (await readdir(folder))
    .filter((one) => one.endsWith('.incr.aof'))
    .sort()
    .at(-1);
  return join(folder, name ?? '');
}

/** Ends Redis, truncates its file to this many bytes, and starts it again. */
async function cutTo(bytes: (size: number) => number): Promise<void> {
  await cluster.end('redis');
  const file = await appendedFile();
  const { size } = await stat(file);
  await truncate(file, bytes(size));
  await cluster.start('redis');
}

test('SIGKILL of Redis', async () => {
  await runFault(cluster, {
    fault: 'SIGKILL of Redis, restarted after 15 s',
    async inject() {
      await cluster.end('redis');
      await setTimeout(15_000);
      await cluster.start('redis');
    },
  });
});

test('Redis out of memory', async () => {
  const redis = cluster.redis();
  try {
    await runFault(cluster, {
      fault: 'Redis out of memory for 8 s (maxmemory, noeviction)',
      async inject({ collection }) {
        await redis.config('SET', 'maxmemory', '1');
        const refused = await cluster.submit(collection, '{"id":"refused","text":"x"}\n');
        expect(refused.status).toBe(503);
        expect(refused.headers.get('retry-after')).toBe('30');
        expect(await refused.json()).toMatchObject({ code: 'queue_full', retryable: true });
        await setTimeout(8000);
        await redis.config('SET', 'maxmemory', '0');
      },
    });
  } finally {
    await redis.config('SET', 'maxmemory', '0');
    redis.disconnect();
  }
});

test('the end of the append-only file lost', async () => {
  let size = 0;
  await runFault(cluster, {
    fault: 'Redis killed, back without the last half of its writes since the job began',
    async inject(job) {
      size = (await stat(await appendedFile())).size;
      await cluster.until(
        'more is done',
        async () => ((await cluster.job(job.id))?.done ?? 0) > job.done + 500,
      );
      await cutTo((now) => Math.floor(size + (now - size) / 2));
    },
  });
});

test('the end of the append-only file lost, and every process with it', async () => {
  await runFault(cluster, {
    fault: 'everything killed, and Redis back without its last 20 KB',
    async inject(job) {
      await cluster.until(
        'more is done',
        async () => ((await cluster.job(job.id))?.done ?? 0) > job.done + 500,
      );
      await Promise.all(cluster.names.filter((name) => name !== 'redis').map((name) => cluster.end(name)));
      await cutTo((now) => now - 20_000);
      for (const name of cluster.names.filter((one) => one !== 'redis')) await cluster.start(name);
    },
  });
});

test.each([
  ['while the API goes on', false],
  ['and the API killed with it', true],
] as const)('the whole job lost %s', async (what, dies) => {
  await runFault(cluster, {
    fault: `Redis back empty, without the job, ${what}`,
    async inject() {
      if (dies) await cluster.end('api');
      await cutTo(() => 0);
      if (dies) await cluster.start('api');
    },
  });
});

test('a job whose end Redis lost stays ended', async () => {
  const { lines, failed } = faultLines(600);
  const name = uniqueName('ended');
  await cluster.json('/api/v1/collections', { name });
  const submitted = (await (await cluster.submit(name, `${lines.join('\n')}\n`)).json()) as Job;
  const { size } = await stat(await appendedFile());
  const ended = () =>
    cluster.until('it has ended', async () => (await cluster.job(submitted.id))?.state === 'completed');
  await ended();
  const before = await cluster.job(submitted.id);
  await cutTo(() => size);
  await ended();
  expect(await cluster.job(submitted.id)).toMatchObject({ stored: before?.stored, failed });
  expect(await reports(cluster, submitted.id)).toHaveLength(failed);
});
