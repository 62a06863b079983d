import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Outside the source tree: ignored by git, and kept for the next run. */
const CACHE = join(import.meta.dirname, '../../node_modules/.cache');
const INSTALL_MS = 15 * 60_000;

/** A Python with packages in a folder of its own, or the reason why there is none. */
export type Python = { command: string } | { missing: string };

export function pythonWithClients(): Promise<Python> {
  return pythonWith(join(import.meta.dirname, 'requirements.txt'), 'clients');
}

/** Installs the missing packages of a requirements file. */
export async function pythonWith(requirements: string, name: string): Promise<Python> {
  const folder = join(CACHE, `embedmill-${name}`);
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16);
  const command = join(folder, 'bin/python');
  const done = join(folder, `installed-${digest}`);
  if (existsSync(done)) return { command };
  try {
    await run('python3', ['--version']);
  } catch {
    return { missing: 'no python3 here' };
  }
  try {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await run('python3', ['-m', 'venv', folder]);
    const quietly = ['--quiet', '--disable-pip-version-check', '--no-input'];
    await run(command, ['-m', 'pip', 'install', ...quietly, '-r', requirements], { timeout: INSTALL_MS });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    const reason = said.trim().split('\n').at(-1)?.slice(0, 200) ?? '';
    return { missing: `its packages cannot be installed here: ${reason}` };
  }
  await writeFile(done, '');
  return { command };
}

export interface Check {
  check: string;
  /** A traceback; null if the client got what it should. */
  error: string | null;
}

/**
 * Runs the checks of one client's module against a server. `path` tells Python where to find modules that are not
 * installed.
 */
export async function checksOf(
  python: string,
  module: string,
  url: string,
  { script = 'run.py', path = '' } = {},
): Promise<Check[]> {
  const { stdout } = await run(python, [script, module], {
    cwd: join(import.meta.dirname, 'python'),
    env: { ...process.env, CLIENTS_URL: url, PYTHONDONTWRITEBYTECODE: '1', PYTHONPATH: path },
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('RESULT '))
    .map((line) => JSON.parse(line.slice('RESULT '.length)) as Check);
}
