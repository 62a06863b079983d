import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CHROMIUM, FLAGS, WITHOUT } from '../browser/chromium.ts';
import { Embedmill } from '../embedmill.ts';
import { CONTRACT } from '../../packages/client/contract/contract-run.ts';
import { npmFolder, npmPackages } from './npm-packages.ts';
import type { Outcome } from './platforms/contract.ts';

/** The client's contract where JavaScript also runs: in Bun, in Deno, in a browser. */
const run = promisify(execFile);
/**
 * Only the packages with the binaries: those with the plain names download them by an install script, which npm blocks.
 */
const PLATFORMS = [
  { name: 'bun', version: '1.4.5', package: '@oven/bun-linux-x64', binary: 'bin/bun', args: ['run'] },
  {
    name: 'deno',
    version: '2.9.6',
    package: '@deno/linux-x64-glibc',
    binary: 'deno',
    args: ['run', '--no-config', '--allow-net'],
  },
].map((platform) => ({
  ...platform,
  path: join(npmFolder('platforms'), 'node_modules', platform.package, platform.binary),
}));
const missing = await installed();

/** Returns the reason if they cannot be installed; undefined otherwise. */
async function installed(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'tried on Linux with x64 alone';
  const wanted = PLATFORMS.map(({ package: name, version }) => `${name}@${version}`);
  const reason = await npmPackages('platforms', wanted);
  if (reason !== undefined) return reason;
  return PLATFORMS.every(({ path }) => existsSync(path)) ? undefined : 'their packages have no binaries';
}

let mill: Embedmill;
let url: string;
let folder: string;
beforeAll(async () => {
  mill = await Embedmill.up();
  ({ url } = await mill.state());
  folder = await mkdtemp(join(tmpdir(), 'embedmill-platforms-'));
});
afterAll(async () => {
  await mill?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The cases as one script, which passes their outcomes to `report`. */
async function script(collection: string, report: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { contract } from './contract.ts';
        ${report}(contract(${JSON.stringify(url)}, ${JSON.stringify(collection)}));`,
      resolveDir: join(import.meta.dirname, 'platforms'),
      loader: 'ts',
    },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
  });
  return outputFiles[0]?.text ?? '';
}

function expectWhole(outcomes: readonly Outcome[]): void {
  expect(outcomes.filter(({ error }) => error !== null)).toEqual([]);
  expect(outcomes.map(({ check }) => check)).toEqual(CONTRACT.map(({ name }) => name));
}

const reason = missing === undefined ? '' : ` (skipped: ${missing})`;
test.skipIf(missing !== undefined).for(PLATFORMS)(`in $name${reason}`, async ({ name, path, args }) => {
  const file = join(folder, `${name}.mjs`);
  const print = '(async (outcomes) => console.log(JSON.stringify(await outcomes)))';
  await writeFile(file, await script(`contract-${name}`, print));
  const { stdout } = await run(path, [...args, file], {
    cwd: folder,
    env: { ...process.env, DENO_DIR: join(folder, 'deno'), DENO_NO_UPDATE_CHECK: '1' },
  });
  expectWhole(JSON.parse(stdout) as Outcome[]);
});

test.skipIf(CHROMIUM === undefined)(`in Chromium${WITHOUT}`, async () => {
  const browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args: FLAGS });
  try {
    const page = await browser.newPage();
    // A page of the same origin, as the console is.
    await page.goto(new URL('/healthz', url).href);
    const code = await script('contract-browser', '((outcomes) => (globalThis.outcomes = outcomes))');
    await page.evaluate(code);
    expectWhole(await page.evaluate('globalThis.outcomes'));
  } finally {
    await browser.close();
  }
});
