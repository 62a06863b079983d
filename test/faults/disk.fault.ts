import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { addRow, runFault } from './fault-case.ts';
import { SmallDisk } from './small-disk.ts';

/** Disks that are full for a while. */
const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function disk(megabytes: number, fault: string): Promise<SmallDisk | undefined> {
  const mounted = await SmallDisk.mount(megabytes);
  if (mounted === undefined) await addRow({ fault, skipped: 'mounting is not allowed here' });
  else closers.push(() => mounted.unmount());
  return mounted;
}

async function cluster(options: Parameters<typeof Cluster.start>[0]): Promise<Cluster> {
  const running = await Cluster.start(options);
  closers.push(() => running.stop());
  return running;
}

test('the disk of the spool full', async ({ skip }) => {
  const fault = 'the disk of the spool full for 8 s';
  const small = await disk(16, fault);
  if (small === undefined) return skip('mounting is not allowed here');
  const running = await cluster({
    qdrantUrl: process.env['QDRANT_URL'],
    env: { EMBEDMILL_SPOOL_DIR: small.folder },
  });
  await runFault(running, {
    fault,
    async inject({ collection }) {
      await small.fill();
      const body = Array.from({ length: 2000 }, (_, n) => `{"id":"refused${n}","text":"x"}\n`).join('');
      const refused = await running.submit(collection, body);
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      const problem = (await refused.json()) as { code: string; detail: string };
      expect(problem.code).toBe('spool_unavailable');
      expect(problem.detail).toContain('is full; free space');
      await setTimeout(8000);
      await small.free();
    },
  });
});

test.skipIf(process.env['QDRANT_URL'] !== undefined)(
  'the disk of the embedded store full',
  async ({ skip }) => {
    const fault = 'the disk of the embedded store full for 8 s, SIGKILL of the store afterwards';
    const small = await disk(192, fault);
    if (small === undefined) return skip('mounting is not allowed here');
    const socket = join(await mkdtemp(join(tmpdir(), 'em-sock-')), 's.sock');
    closers.push(() => rm(dirname(socket), { recursive: true, force: true }));
    const running = await cluster({
      env: { EMBEDMILL_STORE_SOCKET: socket },
      envOf: { store: { EMBEDMILL_DATA_DIR: small.folder } },
    });
    await runFault(running, {
      fault,
      async inject() {
        await small.fill();
        await running.until('the worker says why it cannot go on', async () =>
          (await running.log('worker')).includes('is full; free space'),
        );
        await setTimeout(8000);
        await small.free();
      },
      // What was written once there was room again must not follow something unreadable.
      async afterwards() {
        await running.end('store');
        await running.start('store');
      },
    });
  },
);
