import { spawnSync } from 'node:child_process';
import { link, mkdir, mkdtemp, realpath, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SourceRef } from '@embedmill/jobs';
import { openLocalSource, readSource } from './source-bytes.ts';

let folder: string;
let allowed: string;
const THEN = new Date(1_700_000_000_000);

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'embedmill-source-')));
  allowed = join(folder, 'allowed');
  await mkdir(join(allowed, 'in'), { recursive: true });
  await mkdir(join(folder, 'out'));
  // Of the same size and time as what takes its place, so that these give nothing away.
  for (const [path, text] of [
    [join(allowed, 'in', 'a.ndjson'), 'public\n'],
    [join(folder, 'out', 'a.ndjson'), 'secret\n'],
  ] as const) {
    await writeFile(path, text);
    await utimes(path, THEN, THEN);
  }
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const textOf = async (source: SourceRef) =>
  Buffer.concat(await Array.fromAsync(readSource(source))).toString();

test('a link inside of the folder is followed to where it leads', async () => {
  await symlink(join(allowed, 'in', 'a.ndjson'), join(allowed, 'link'));
  const source = await openLocalSource('link', allowed);
  expect(source).toMatchObject({ uri: `file://${join(allowed, 'in', 'a.ndjson')}` });
  expect(await textOf(source)).toBe('public\n');
});

test.each([
  ['the file', 'in/a.ndjson'],
  ['a folder on its way', 'in'],
])('%s that becomes a link to elsewhere while the job runs is not followed', async (_what, replaced) => {
  const source = await openLocalSource('in/a.ndjson', allowed);
  expect(await textOf(source)).toBe('public\n');
  await rename(join(allowed, replaced), join(folder, 'aside'));
  await symlink(join(folder, replaced.replace('in', 'out')), join(allowed, replaced));
  await expect(textOf(source)).rejects.toMatchObject({ code: 'source_changed' });
});

test('a pipe is no file, now or later, and is not waited for', async () => {
  const made = spawnSync('mkfifo', [join(allowed, 'pipe')]);
  if (made.status !== 0) return void process.stdout.write('skipped: there is no mkfifo\n');
  await expect(openLocalSource('pipe', allowed)).rejects.toMatchObject({ code: 'source_unreadable' });
  const source = await openLocalSource('in/a.ndjson', allowed);
  await rm(join(allowed, 'in', 'a.ndjson'));
  await link(join(allowed, 'pipe'), join(allowed, 'in', 'a.ndjson'));
  await expect(textOf(source)).rejects.toMatchObject({ code: 'source_changed' });
});

test.each(['/dev/zero', '/dev/stdin', '/proc/self/environ'])('a link to %s is refused', async (device) => {
  await symlink(device, join(allowed, 'device'));
  await expect(openLocalSource('device', allowed)).rejects.toThrow(
    expect.objectContaining({ code: expect.stringMatching(/^source_(forbidden|unreadable)$/) }),
  );
});

test.each([
  'in/a\0.ndjson',
  'a'.repeat(5000),
  'in/\ud800',
  '../allowed/../out/a.ndjson',
  './/..//out/a.ndjson',
])('no path leads out of the folder or breaks it: %j', async (path) => {
  await expect(openLocalSource(path, allowed)).rejects.toThrow(
    expect.objectContaining({ code: expect.stringMatching(/^source_(forbidden|unreadable)$/) }),
  );
});
