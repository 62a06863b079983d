import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EmbedmillError } from '@embedmill/jobs';
import { missingPostgres, startTestPostgres } from '@embedmill/postgres-server';
import { newJobId } from '@embedmill/queue';
import { startTestCluster, startTestRedis } from '@embedmill/redis-server';
import { failShard } from '@embedmill/sources';
import { sweep } from './retention.ts';
import { collection, stored, testDispatch, type TestDispatch } from './test-dispatch.ts';

let rig: TestDispatch;

afterEach(() => rig.close());

const brokers = [
  { name: 'Redis', missing: undefined, start: startTestRedis, as: (redisUrl: string) => ({ redisUrl }) },
  {
    name: 'Redis Cluster',
    missing: undefined,
    start: () => startTestCluster(),
    as: (redisUrl: string) => ({ redisUrl }),
  },
  {
    name: 'PostgreSQL',
    missing: missingPostgres,
    start: startTestPostgres,
    as: (postgresUrl: string) => ({ postgresUrl }),
  },
];

describe.each(brokers)('by $name', ({ name, missing, start, as }) => {
  describe.skipIf(missing !== undefined)(
    missing === undefined ? 'the dispatcher' : `skipped: ${missing}`,
    () => {
      let broker: { url: string; stop(): Promise<void> };
      let tests = 0;

      beforeAll(async () => {
        broker = await start();
      });
      afterAll(() => broker.stop());
      beforeEach(async () => {
        tests += 1;
        rig = await testDispatch({ ...as(broker.url), prefix: `{test${tests}}` });
      });

      test('a job with more failed documents than allowed is stopped as failed, with the reason', async () => {
        await rig.worker(async (shard) => ({
          ...stored(shard),
          stored: 0,
          failed: shard.range.documents,
          chunks: 0,
        }));
        await rig.dispatcher();
        const id = await rig.submit(3000, { maxFailures: 300 });
        const job = await rig.finished(id);
        expect(job).toMatchObject({ state: 'failed', error: { code: 'too_many_failures' } });
        expect(job.failed).toBeGreaterThan(300);
        expect(job.failed).toBeLessThan(3000);
      });

      test('every shard is settled once, and no more than the bound are on the queue', async () => {
        const seen: number[] = [];
        let most = 0;
        await rig.worker(async (shard) => {
          const depth = await rig.queue.depth();
          most = Math.max(most, depth.waiting + depth.active);
          seen.push(shard.index);
          return stored(shard);
        });
        await rig.dispatcher();
        const job = await rig.finished(await rig.submit(5000));
        expect(job).toMatchObject({
          state: 'completed',
          documents: 5000,
          done: 5000,
          stored: 5000,
          chunks: 5000,
          shards: 20,
          shardsDone: 20,
        });
        expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
        expect(most).toBeLessThanOrEqual(3);
      });

      test('workers with room for more than a job may have in any case get more, up to the most', async () => {
        const slots = 12;
        let active = 0;
        const allBusy = Promise.withResolvers<void>();
        let most = 0;
        await rig.worker(async (shard) => {
          active += 1;
          if (active === slots) allBusy.resolve();
          // None finishes before all are busy, which could never happen with only the three of the bound.
          await allBusy.promise;
          const depth = await rig.queue.depth();
          most = Math.max(most, depth.waiting + depth.active);
          active -= 1;
          return stored(shard);
        }, slots);
        await rig.dispatcher({ mostShards: 20 });
        const job = await rig.finished(await rig.submit(256 * 60));
        expect(job).toMatchObject({ state: 'completed', shardsDone: 60, stored: 256 * 60 });
        expect(most).toBeGreaterThanOrEqual(slots);
        expect(most).toBeLessThanOrEqual(20);
      });

      test('a dispatcher that stops hands its job to the next one, with exact counts', async () => {
        const seen: number[] = [];
        await rig.worker(async (shard) => {
          seen.push(shard.index);
          return stored(shard);
        });
        const first = await rig.dispatcher();
        const id = await rig.submit(10_000);
        while (seen.length < 7) await setTimeout(5);
        await first.close();
        await rig.dispatcher();
        expect(await rig.finished(id)).toMatchObject({
          state: 'completed',
          done: 10_000,
          stored: 10_000,
          shardsDone: 40,
        });
        expect(seen.length).toBe(40);
      });

      test('a cancelled job takes its waiting shards back and ends', async () => {
        const release = Promise.withResolvers<void>();
        await rig.worker(async (shard) => {
          await release.promise;
          return stored(shard);
        }, 1);
        await rig.dispatcher();
        const id = await rig.submit(5000);
        // One is in progress and others wait; once none waits any more, the dispatcher has withdrawn them.
        while (!((await rig.queue.depth()).active === 1 && (await rig.queue.depth()).waiting > 0)) {
          await setTimeout(10);
        }
        await rig.queue.cancel(id);
        while ((await rig.queue.depth()).waiting > 0) await setTimeout(10);
        release.resolve();
        const job = await rig.finished(id);
        expect(job).toMatchObject({ state: 'cancelled', shardsDone: 1 });
        await expect(rig.queue.cancel(id)).rejects.toMatchObject({ code: 'job_finished' });
      });

      test('a started shard of a cancelled job that a worker returned is finished by another worker', async () => {
        let attempts = 0;
        await rig.worker(async (shard) => {
          attempts += 1;
          if (attempts === 1) throw new EmbedmillError('store_unavailable', 'it is away');
          return stored(shard);
        }, 1);
        await rig.dispatcher();
        const id = await rig.submit(256);
        await expect.poll(() => attempts, { timeout: 20_000 }).toBe(1);
        await rig.queue.cancel(id);
        expect(await rig.finished(id)).toMatchObject({ state: 'cancelled', shardsDone: 1, stored: 256 });
        expect(attempts).toBe(2);
      });

      test('a shard on which workers die repeatedly ends in the failures, document by document', async () => {
        let lost = 0;
        const ends: string[] = [];
        await rig.dispatcher({
          hooks: { onLost: (documents) => (lost += documents), onFinished: (state) => void ends.push(state) },
        });
        const id = await rig.submit(300);
        let deaths = 0;
        let ended = false;
        let current: ChildProcess | undefined;
        const entry = new URL('./dying-worker.fixture.ts', import.meta.url);
        const dying = (async () => {
          while (!ended) {
            const child = fork(entry, [JSON.stringify(rig.address)], { execArgv: [] });
            current = child;
            const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
            if (signal === 'SIGKILL') deaths += 1;
            else if (!ended) throw new Error(`the fixture ended with ${code}`);
          }
        })();
        const job = await rig.finished(id).finally(() => {
          ended = true;
          current?.kill('SIGTERM');
        });
        await dying;
        expect(job).toMatchObject({ state: 'completed', stored: 256, failed: 44, done: 300 });
        // Reported once the record says so, which the test has waited for.
        await expect.poll(() => ({ lost, ends })).toEqual({ lost: 44, ends: ['completed'] });
        // The first attempt, and three retries.
        expect(deaths).toBe(4);
        const failures = Buffer.concat(await Array.fromAsync(rig.spool.readReports(id, 'failures')))
          .toString()
          .trim()
          .split('\n');
        expect(failures).toHaveLength(44);
        expect(JSON.parse(failures[0]!)).toMatchObject({
          line: 257,
          id: 'd256',
          code: 'worker_lost',
          retryable: true,
        });
      });

      /** Runs dispatchers in sequence, each of which dies at this action on a source, until this many have died. */
      async function dieAt(task: 'transcode' | 'manifest', deaths: number): Promise<void> {
        const entry = new URL('./dying-dispatcher.fixture.ts', import.meta.url);
        for (let died = 0; died < deaths; died += 1) {
          const child = fork(entry, [JSON.stringify(rig.address), rig.folder, task], { execArgv: [] });
          expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
        }
      }

      test('a job at whose source dispatchers die three times fails, and says so', async () => {
        const id = await rig.submit(3);
        await dieAt('manifest', 3);
        await rig.dispatcher();
        const job = await rig.finished(id);
        expect(job).toMatchObject({ state: 'failed', error: { code: 'dispatcher_lost' }, stored: 0 });
        expect(job.error?.message).toContain("3 times while they read the job's source");
      });

      // Losses are counted in the same way everywhere; this tests the count itself.
      if (name === 'Redis')
        test('a job goes on at which dispatchers died, but not three times at one place', async () => {
          await rig.worker((shard) => Promise.resolve(stored(shard)));
          const csv = Buffer.from('id,text\na,one\nb,two\n');
          const id = await rig.submitEncoded(csv, { format: 'csv', gzip: false });
          await dieAt('transcode', 2);
          await dieAt('manifest', 2);
          await rig.dispatcher();
          expect(await rig.finished(id)).toMatchObject({ state: 'completed', stored: 2 });
        });

      test('finished jobs expire with their folders; those with failures stay until they are forgotten', async () => {
        await rig.dispatcher();
        await rig.worker(async (shard) =>
          shard.range.documents === 2
            ? failShard(rig.spool, shard, new EmbedmillError('engine_crashed', 'it died'))
            : stored(shard),
        );
        const good = await rig.submit(3);
        const bad = await rig.submit(2);
        for (const id of [good, bad]) await rig.finished(id);
        const running = newJobId();
        await mkdir(join(rig.folder, running));
        const policy = { ageMs: 1000, failuresAgeMs: 3600_000, jobs: 100 };
        const { store, log } = rig.options();
        const parts = { queue: rig.queue, spool: rig.spool, store, policy, log };
        const soon = Date.now() + 60_000;

        await expect.poll(async () => (await sweep(parts, soon)).jobs, { timeout: 60_000 }).toBe(1);
        expect(await rig.queue.getJob(good)).toBeUndefined();
        expect((await readdir(rig.folder)).sort()).toEqual([bad, running].sort());
        expect(await rig.queue.getJob(bad)).toMatchObject({ failed: 2 });
        expect(
          Buffer.concat(await Array.fromAsync(rig.spool.readReports(bad, 'failures'))).length,
        ).toBeGreaterThan(0);

        // A folder without a job is removed only once it is old, because its upload may still be in progress.
        const later = Date.now() + 25 * 3600_000;
        expect(await sweep({ ...parts, policy: { ...policy, failuresAgeMs: 1e12 } }, later)).toEqual({
          jobs: 0,
          folders: 1,
        });
        // Its dispatcher may still be releasing it.
        await expect.poll(() => rig.queue.forget(bad).then(() => 'forgotten', String)).toBe('forgotten');
        expect(await rig.queue.getJob(bad)).toBeUndefined();
        await expect(rig.queue.forget(bad)).rejects.toMatchObject({ code: 'job_not_found' });
      });

      test('a job that has not finished cannot be forgotten', async () => {
        const id = await rig.submit(1);
        await expect(rig.queue.forget(id)).rejects.toMatchObject({ code: 'job_not_finished' });
      });

      test('a source that does not exist ends the job as failed, with the reason', async () => {
        await rig.dispatcher();
        const id = newJobId();
        const source = { kind: 'file', uri: 'file:///nowhere/at/all.ndjson', size: 3, modified: 0 } as const;
        await rig.queue.submit({
          id,
          purpose: 'ingest',
          collection,
          source,
          label: '/nowhere',
          digest: 'x',
          retryOf: null,
        });
        expect(await rig.finished(id)).toMatchObject({
          state: 'failed',
          error: { code: 'source_unreadable' },
        });
      });
    },
  );
});
