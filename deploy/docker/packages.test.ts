import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

interface Package {
  name: string;
  version: string;
  dependencies?: Record<string, string>;
}

const read = async (folder: string): Promise<Package> =>
  JSON.parse(await readFile(join(ROOT, folder, 'package.json'), 'utf8')) as Package;

/** The version of a package that code in a workspace's folder resolves to. */
async function versionFor(folder: string, name: string): Promise<string> {
  const own = join(folder, 'node_modules', name);
  return (await read(existsSync(join(ROOT, own)) ? own : join('node_modules', name))).version;
}

/** The folders of the libraries in a workspace's bundle. */
async function librariesOf(folder: string, all: ReadonlyMap<string, string>): Promise<Set<string>> {
  const found = new Set<string>();
  for (const pending = [folder]; ;) {
    const next = pending.pop();
    if (next === undefined) return found;
    for (const name of Object.keys((await read(next)).dependencies ?? {})) {
      const library = all.get(name);
      if (library === undefined || found.has(library)) continue;
      found.add(library);
      pending.push(library);
    }
  }
}

const folders = (
  await Promise.all(
    ['libs', 'packages'].map(async (parent) =>
      (await readdir(join(ROOT, parent), { withFileTypes: true }))
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => `${parent}/${name}`),
    ),
  )
).flat();
const libraries = new Map(
  await Promise.all(folders.map(async (folder) => [(await read(folder)).name, folder] as const)),
);

// A bundle is in its app's folder, so its imports resolve from there, where npm may have put another version.
test.each(['api', 'worker', 'cli'])(
  'the bundle of %s gets the versions that its libraries depend on',
  async (app) => {
    const taken = await librariesOf(`apps/${app}`, libraries);
    expect(taken.size).toBeGreaterThan(5);
    const wrong: string[] = [];
    for (const library of taken) {
      for (const name of Object.keys((await read(library)).dependencies ?? {})) {
        if (libraries.has(name)) continue;
        const [wanted, got] = [await versionFor(library, name), await versionFor(`apps/${app}`, name)];
        if (wanted !== got)
          wrong.push(
            `${library} wants ${name} ${wanted}, apps/${app} has ${got}: add it to its dependencies`,
          );
      }
    }
    expect(wrong).toEqual([]);
  },
);
