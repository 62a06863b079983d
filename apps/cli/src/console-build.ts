/**
 * The console that the API serves. An installed embedmill includes it. In a checkout it is built here if it is missing or
 * older than its sources, so that it works after `npm install`. Nothing depends on it: if it cannot be built, the page
 * shows how to do it.
 */
import { execFile } from 'node:child_process';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fromSource } from './entries.ts';

const FOLDER = fileURLToPath(new URL('../../console/', import.meta.url));
/** The inputs of its build. */
const SOURCES = ['src', 'index.html', 'vite.config.ts', 'package.json'];
/** Sources from other packages. */
const OTHERS = ['../../packages/client/src'];
const BUILD_MS = 120_000;

/** Builds the console if necessary; `tell` receives messages for the user. */
export async function buildConsole(tell: (text: string) => void, folder = FOLDER): Promise<void> {
  if (!fromSource) return;
  const dist = join(folder, 'dist');
  if ((await changedAt(join(dist, 'index.html'))) >= (await newest(folder))) return;
  tell('building the console, once');
  // Others may build it at the same time; each replaces it as a whole.
  const own = join(folder, `dist-${process.pid}`);
  try {
    const vite = createRequire(join(folder, 'package.json')).resolve('vite/package.json');
    const args = [join(dirname(vite), 'bin/vite.js'), 'build', '--outDir', own, '--logLevel', 'warn'];
    await promisify(execFile)(process.execPath, args, { cwd: folder, timeout: BUILD_MS });
    await rm(dist, { recursive: true, force: true });
    await rename(own, dist);
  } catch (error) {
    if ((await changedAt(join(dist, 'index.html'))) >= (await newest(folder))) return;
    const [why] = String(error instanceof Error ? error.message : error).split('\n');
    tell(`cannot build the console: ${why}`);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

/** When a file changed, in milliseconds since 1970; -Infinity if it does not exist. */
async function changedAt(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.mtimeMs ?? -Infinity;
}

/** When the last of the sources changed. */
async function newest(folder: string): Promise<number> {
  const within = async (own: string): Promise<string[]> => {
    const names = await readdir(join(folder, own), { recursive: true }).catch(() => []);
    return names.map((name) => join(own, name));
  };
  const paths = [SOURCES, ...(await Promise.all(['src', ...OTHERS].map(within)))].flat();
  const times = await Promise.all(paths.map((path) => changedAt(join(folder, path))));
  return Math.max(...times);
}
