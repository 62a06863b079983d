import { spawnSync } from 'node:child_process';
import { link, mkdir, mkdtemp, realpath, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fileSource, openLocalSource, readFile, type FileSource } from './file-source.ts';

let folder: string;
let allowed: string;
const THEN = new Date(1_700_000_000_000);

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'embedmill-source-')));
  allowed = join(folder, 'allowed');
  await mkdir(join(allowed, 'in'), { recursive: true });
  await mkdir(join(folder, 'out'));
  // The replacement has the same size and time, so that these do not reveal it.
  for (const [path, text] of [
    [join(allowed, 'in', 'a.ndjson'), 'public\n'],
    [join(folder, 'out', 'a.ndjson'), 'secret\n'],
  ] as const) {
    await writeFile(path, text);
    await utimes(path, THEN, THEN);
  }
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const textOf = async (source: FileSource) =>
  Buffer.concat(await Array.fromAsync(readFile(source, 0, undefined))).toString();

test('a source that changed while the job ran is refused', async () => {
  const path = join(folder, 'data.ndjson');
  await writeFile(path, 'one\ntwo\n');
  const source = await fileSource(path);
  await writeFile(path, 'other\ntwo\n');
  await expect(textOf(source)).rejects.toMatchObject({ code: 'source_changed' });
  await rm(path);
  await expect(textOf(source)).rejects.toMatchObject({ code: 'source_unreadable' });
});

test('local sources are read below the allowed folder only, whatever the path or link says', async () => {
  await writeFile(join(allowed, 'in', 'ok.ndjson'), 'x\n');
  await writeFile(join(folder, 'secret'), 'x\n');
  await symlink(join(folder, 'secret'), join(allowed, 'link'));
  await symlink(allowed, join(folder, 'alias'));
  expect(await openLocalSource('in/ok.ndjson', allowed)).toMatchObject({ kind: 'file', size: 2 });
  expect(await openLocalSource(join(allowed, 'in/ok.ndjson'), join(folder, 'alias'))).toMatchObject({
    size: 2,
  });
  for (const path of ['../secret', join(folder, 'secret'), 'link', 'in/../../secret', '', '.']) {
    await expect(openLocalSource(path, allowed), path).rejects.toMatchObject({ code: 'source_forbidden' });
  }
  await expect(openLocalSource('in', allowed)).rejects.toMatchObject({ code: 'source_unreadable' });
  await expect(openLocalSource('nothing', allowed)).rejects.toMatchObject({ code: 'source_unreadable' });
  await expect(openLocalSource('x', undefined)).rejects.toMatchObject({ code: 'source_forbidden' });
});

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

test('a pipe is no file, now or later, and is not waited for', async ({ skip }) => {
  const made = spawnSync('mkfifo', [join(allowed, 'pipe')]);
  if (made.status !== 0) return skip('no mkfifo here');
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
