import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { canUnpackRedis, unpackRedis } from './redis-package.ts';
import { findRedisProgram } from './redis-program.ts';

/** What apt prints if its servers cannot be reached. */
const OFFLINE =
  /Temporary failure resolving|Could not (resolve|connect)|Unable to connect|Connection (failed|timed out)/;
const never = new AbortController().signal;
const path = process.env['PATH'];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'embedmill-ladder-'));
});
afterEach(() => {
  process.env['PATH'] = path;
  rmSync(folder, { recursive: true, force: true });
});

test('takes redis-server from the PATH when it is there', async () => {
  const own = join(folder, 'redis-server');
  writeFileSync(own, '#!/bin/sh\n');
  chmodSync(own, 0o755);
  process.env['PATH'] = `${folder}:${path}`;
  expect(await findRedisProgram(join(folder, 'package'), () => {}, never)).toMatchObject({
    origin: 'PATH',
    path: own,
  });
});

test('ends with one command to run when there is neither redis-server nor apt', async () => {
  process.env['PATH'] = folder;
  const found = findRedisProgram(join(folder, 'package'), () => {}, never);
  await expect(found).rejects.toMatchObject({ code: 'queue_unavailable' });
  await expect(found).rejects.toThrow(/no redis-server here; .*(run "|install Redis)/);
});

const apt = canUnpackRedis();
test.skipIf(!apt)(
  `unpacks Debian’s package where there is none on the PATH, and it runs${apt ? '' : ' (skipped: no apt-get and dpkg here)'}`,
  { timeout: 180_000 },
  async ({ skip }) => {
    const packageFolder = join(folder, 'redis-package');
    const unpacked = await unpackRedis(packageFolder, never).catch((error: Error & { stderr?: string }) => {
      skip(OFFLINE.test(error.stderr ?? ''), 'the package servers cannot be reached');
      throw error;
    });
    expect(unpacked.path.startsWith(packageFolder)).toBe(true);
    const environment = { env: { ...process.env, ...unpacked.environment } };
    const { stdout } = await promisify(execFile)(unpacked.path, ['--version'], environment);
    expect(stdout).toMatch(/Redis server v=\d/);
    // The second time, it exists.
    process.env['PATH'] = folder;
    expect(await findRedisProgram(packageFolder, () => {}, never)).toEqual(unpacked);
  },
);
