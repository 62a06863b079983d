import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { addRow, runFault } from './fault-case.ts';

/** Clocks that jump, by libfaketime preloaded before the C library; Redis keeps the true time. */
const LIBRARY = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu']
  .map((folder) => join(folder, 'faketime/libfaketimeMT.so.1'))
  .find(existsSync);
const JUMPS = [
  ['worker', '+3600'],
  ['worker', '-3600'],
  ['api', '+3600'],
  ['api', '-3600'],
] as const;
const faultOf = (name: string, offset: string) =>
  `the clock of the ${name} jumps by ${offset} s, and back after 8 s`;

let cluster: Cluster | undefined;
let folder: string;
const setClock = (name: string, offset: string) => writeFile(join(folder, name), `${offset}s\n`);

beforeAll(async () => {
  if (LIBRARY === undefined) return;
  folder = await mkdtemp(join(tmpdir(), 'em-clock-'));
  const envOf = Object.fromEntries(
    ['worker', 'api'].map((name) => [
      name,
      {
        LD_PRELOAD: LIBRARY,
        FAKETIME_TIMESTAMP_FILE: join(folder, name),
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        FAKETIME_CACHE_DURATION: '1',
      },
    ]),
  );
  for (const name of ['worker', 'api']) await setClock(name, '+0');
  cluster = await Cluster.start({ qdrantUrl: process.env['QDRANT_URL'], envOf });
});
afterAll(async () => {
  await cluster?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

test.each(JUMPS)('the clock of the %s jumps by %s s', async (name, offset) => {
  if (cluster === undefined) return;
  await runFault(cluster, {
    fault: faultOf(name, offset),
    async inject() {
      await setClock(name, offset);
      await setTimeout(8000);
      await setClock(name, '+0');
    },
  });
});

test.skipIf(LIBRARY !== undefined)('skipped: libfaketime (the Debian package) is not installed', async () => {
  for (const [name, offset] of JUMPS)
    await addRow({ fault: faultOf(name, offset), skipped: 'libfaketime is not here' });
});
