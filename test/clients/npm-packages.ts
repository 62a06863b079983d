import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The folder where these packages are installed: ignored by git, and kept for the next run. */
export const npmFolder = (name: string): string =>
  join(import.meta.dirname, '../../node_modules/.cache', `embedmill-${name}`);

/** Installs missing packages from npm. Returns the reason if they cannot be installed; undefined otherwise. */
export async function npmPackages(name: string, packages: readonly string[]): Promise<string | undefined> {
  const folder = npmFolder(name);
  const digest = createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 16);
  const done = join(folder, `installed-${digest}`);
  if (existsSync(done)) return undefined;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  try {
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...packages], {
      cwd: folder,
    });
  } catch (error) {
    return `they cannot be installed here: ${String(error).split('\n').at(-1)?.slice(0, 200) ?? ''}`;
  }
  await writeFile(done, '');
  return undefined;
}
