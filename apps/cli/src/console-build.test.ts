import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { buildConsole } from './console-build.ts';

const MODULES = fileURLToPath(new URL('../../../node_modules', import.meta.url));
const AN_HOUR_AGO = new Date(Date.now() - 3_600_000);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-console-'));
  const made = folder;
  onTestFinished(() => rm(made, { recursive: true, force: true }));
  await mkdir(join(folder, 'src'));
  const files = {
    'package.json': '{"type":"module"}',
    'index.html': '<script type="module" src="./src/main.ts"></script>',
    'src/main.ts': 'document.title = "console";',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
});

async function build(): Promise<string[]> {
  const told: string[] = [];
  await buildConsole((text) => told.push(text), folder);
  return told;
}

test('a console that is not there, or older than its sources, is built', async () => {
  await symlink(MODULES, join(folder, 'node_modules'));
  expect(await build()).toEqual(['building the console, once']);
  const index = join(folder, 'dist', 'index.html');
  expect(await readFile(index, 'utf8')).toContain('assets/');
  expect(await build()).toEqual([]);
  await utimes(index, AN_HOUR_AGO, AN_HOUR_AGO);
  expect(await build()).toEqual(['building the console, once']);
  expect((await readdir(folder)).filter((name) => name.startsWith('dist'))).toEqual(['dist']);
});

test('where it cannot be built, the user is told, and what there was stays', async () => {
  await mkdir(join(folder, 'dist'));
  const index = join(folder, 'dist', 'index.html');
  await writeFile(index, 'old');
  await utimes(index, AN_HOUR_AGO, AN_HOUR_AGO);
  expect((await build()).at(-1)).toContain('cannot build the console: Cannot find module');
  expect(await readFile(index, 'utf8')).toBe('old');
});
