import { chmodSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** What embedmill keeps in a data folder. Whatever else is there is not ours to touch. */
const OWN = ['calibration', 'logs', 'models', 'redis', 'redis-package', 'spool', 'vectors'];
const OWN_FILES = ['up.json', 'up.lock', 'store.sock'];

/** New files of this process and its children are for this user only: 0600, folders 0700. */
export function keepFilesPrivate(): void {
  process.umask(0o077);
}

/**
 * Takes from everybody else what they may do with a data folder of an earlier version, or with one that was made by
 * hand. Says what could not be taken.
 */
export function makePrivate(folder: string): string[] {
  const open: string[] = [];
  restrict(folder, open);
  for (const name of OWN_FILES) restrict(join(folder, name), open);
  for (const name of OWN) restrictAll(join(folder, name), open);
  return open;
}

function restrictAll(path: string, open: string[]): void {
  restrict(path, open);
  let entries;
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch {
    return;
  }
  for (const entry of entries) {
    if (entry.isDirectory()) restrictAll(join(path, entry.name), open);
    else restrict(join(path, entry.name), open);
  }
}

function restrict(path: string, open: string[]): void {
  try {
    const info = lstatSync(path);
    if (info.isSymbolicLink() || (info.mode & 0o077) === 0) return;
    chmodSync(path, info.mode & 0o700);
  } catch (error) {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!isGone) open.push(path);
  }
}
