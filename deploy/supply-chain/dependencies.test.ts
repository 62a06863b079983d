import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Package {
  version?: string;
  integrity?: string;
  resolved?: string;
  license?: string;
  link?: boolean;
  dev?: boolean;
  hasInstallScript?: boolean;
  dependencies?: Record<string, string>;
}
const read = <T>(path: string): T => JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as T;
const lock = read<{ packages: Record<string, Package> }>('package-lock.json');
const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
/** The installed third-party packages, by name. */
const installed = packages
  .filter(([path, { link }]) => path.includes('node_modules/') && link !== true)
  .map(([path, found]) => ({ name: path.split('node_modules/').at(-1) ?? path, ...found }));

test('every package comes from a registry and is pinned to the hash of its archive', () => {
  expect(installed.length).toBeGreaterThan(100);
  const without = installed.filter(({ integrity }) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ''));
  expect(without.map(({ name }) => name)).toEqual([]);
  const elsewhere = installed.filter(({ resolved }) => /^(git|file|http:)/.test(resolved ?? ''));
  expect(elsewhere.map(({ name }) => name)).toEqual([]);
});

test('the product’s dependencies have exact versions', () => {
  const own = packages.filter(([path]) => !path.includes('node_modules/'));
  expect(own.length).toBeGreaterThan(15);
  for (const [path, { dependencies = {} }] of own) {
    for (const [name, version] of Object.entries(dependencies)) {
      const exact = name.startsWith('@embedmill/') ? /^\*$/ : /^\d+\.\d+\.\d+(-[\w.]+)?$/;
      expect(version, `${path}: ${name}`).toMatch(exact);
    }
  }
});

test('an app’s bundle resolves the exact versions that its libraries depend on', () => {
  const libraryOf = (name: string) => {
    const own = name.replace('@embedmill/', '');
    return `packages/${own}` in lock.packages ? `packages/${own}` : `libs/${own}`;
  };
  const within = (path: string, seen = new Set<string>()): Set<string> => {
    if (seen.has(path)) return seen;
    seen.add(path);
    for (const name of Object.keys(lock.packages[path]?.dependencies ?? {}))
      if (name.startsWith('@embedmill/')) within(libraryOf(name), seen);
    return seen;
  };
  for (const app of ['apps/api', 'apps/worker', 'apps/cli']) {
    for (const path of within(app)) {
      for (const [name, version] of Object.entries(lock.packages[path]?.dependencies ?? {})) {
        if (name.startsWith('@embedmill/')) continue;
        const found = lock.packages[`${app}/node_modules/${name}`] ?? lock.packages[`node_modules/${name}`];
        expect(found?.version, `${app}, by ${path}: ${name}`).toBe(version);
      }
    }
  }
});

test('install scripts are allowed or denied by package', () => {
  const { allowScripts } = read<{ allowScripts: Record<string, boolean> }>('package.json');
  for (const { name, hasInstallScript } of installed) {
    if (hasInstallScript === true) expect(allowScripts, name).toHaveProperty([name]);
  }
});

/** Licences that require no more than attribution. */
const PERMISSIVE = new Set(
  ['MIT', 'MIT-0', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'BlueOak-1.0.0'].concat(
    // The choice is ours.
    '(MIT OR CC0-1.0)',
    '(MIT OR GPL-3.0-or-later)',
    '(MIT AND Zlib)',
    '(Apache-2.0 AND BSD-3-Clause)',
  ),
);
/** It says "BSD"; its LICENSE has two clauses. */
const TWO_CLAUSES = 'duck';
/**
 * libvips, which sharp loads as a shared library, and what the Parquet writer of Milvus' client depends on, which is
 * installed as separate packages. All of them can be replaced, which is what the LGPL requires of distributors.
 */
const LGPL = /^(@img\/sharp-(libvips-[\w-]+|win32-\w+|wasm32)|memium|utilium)$/;

test('the licence of everything that is shipped allows redistribution', () => {
  const production = installed.filter(({ dev }) => dev !== true);
  const refused = production.filter(
    ({ name, license = 'none' }) =>
      !(name === TWO_CLAUSES && license === 'BSD') &&
      !PERMISSIVE.has(license) &&
      !(LGPL.test(name) && license.includes('LGPL-3.0-or-later')),
  );
  expect(refused.map(({ name, license }) => `${name}: ${license}`)).toEqual([]);
});

test('the bill of materials lists what is shipped, with hashes, and no build tools', async () => {
  const script = join(ROOT, 'deploy/supply-chain/bill-of-materials.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [script], { maxBuffer: 1 << 28 });
  const bill = JSON.parse(stdout) as {
    bomFormat: string;
    components: { name: string; type: string; purl?: string; hashes?: unknown[]; licenses?: unknown[] }[];
  };
  expect(bill.bomFormat).toBe('CycloneDX');
  const named = new Set(
    bill.components.flatMap(({ purl = '' }) => /^pkg:npm\/(.+)@/.exec(decodeURIComponent(purl))?.[1] ?? []),
  );
  const own = packages.filter(([path]) => /^(apps|libs|packages)\/[^/]+$/.test(path));
  for (const [path, { dependencies = {} }] of own) {
    for (const name of Object.keys(dependencies)) expect(named, path).toContain(name);
  }
  // A build tool whose files are copied.
  expect(named).toContain('swagger-ui-dist');
  for (const name of ['eslint', 'vitest', 'nx', 'prettier', 'openai']) expect(named).not.toContain(name);
  for (const { name, purl = '', type, hashes, licenses } of bill.components) {
    if (type !== 'file') expect(licenses, name).not.toHaveLength(0);
    if (!/^pkg:npm\/(%40embedmill\/|embedmill@)/.test(purl)) expect(hashes, name).toHaveLength(1);
  }
  const digest = (path: string) =>
    createHash('sha256')
      .update(readFileSync(join(ROOT, path)))
      .digest('hex');
  const model = 'models/all-MiniLM-L6-v2/model_int8.onnx';
  expect(bill.components).toContainEqual(
    expect.objectContaining({ name: model, hashes: [{ alg: 'SHA-256', content: digest(model) }] }),
  );
});
