import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt');
/** Not in the repository's tree of sources: ignored by git, and kept for the next run. */
const FOLDER = join(import.meta.dirname, '../../node_modules/.cache/embedmill-clients');
const INSTALL_MS = 15 * 60_000;

/** A Python with the clients of requirements.txt in a folder of its own, or why there is none. */
export type Python = { command: string } | { missing: string };

/** Installs what is not there yet. */
export async function pythonWithClients(): Promise<Python> {
  const digest = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 16);
  const command = join(FOLDER, 'bin/python');
  const done = join(FOLDER, `installed-${digest}`);
  if (existsSync(done)) return { command };
  try {
    await run('python3', ['--version']);
  } catch {
    return { missing: 'no python3 here' };
  }
  try {
    await rm(FOLDER, { recursive: true, force: true });
    await mkdir(FOLDER, { recursive: true });
    await run('python3', ['-m', 'venv', FOLDER]);
    const quietly = ['--quiet', '--disable-pip-version-check', '--no-input'];
    await run(command, ['-m', 'pip', 'install', ...quietly, '-r', REQUIREMENTS], { timeout: INSTALL_MS });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    const reason = said.trim().split('\n').at(-1)?.slice(0, 200) ?? '';
    return { missing: `the clients cannot be installed here: ${reason}` };
  }
  await writeFile(done, '');
  return { command };
}

export interface Check {
  check: string;
  /** A traceback; null where the client got what it should. */
  error: string | null;
}

/** Runs the checks of one client's module against a server. */
export async function checksOf(python: string, module: string, url: string): Promise<Check[]> {
  const { stdout } = await run(python, ['run.py', module], {
    cwd: join(import.meta.dirname, 'python'),
    env: { ...process.env, CLIENTS_URL: url, PYTHONDONTWRITEBYTECODE: '1' },
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('RESULT '))
    .map((line) => JSON.parse(line.slice('RESULT '.length)) as Check);
}
