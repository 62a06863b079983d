import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isStatic, staticFile, type StaticFile } from './static-file.ts';

const app = import.meta.url.endsWith('.ts') ? '../..' : '..';

/** What the console's build writes, beside this app's folder: seen from the sources, or from this app's bundle. */
export const CONSOLE_FOLDER = fileURLToPath(new URL(`${app}/../console/dist/`, import.meta.url));

/** A file of the console. */
export interface ConsoleFile extends StaticFile {
  /** Whether its name changes with its content. */
  readonly isHashed: boolean;
}

/**
 * All files of a built console, by their paths below its folder; none where there is no such folder. They are read and
 * compressed once and stay in memory: a path that is not among them is no file, whatever it looks like.
 */
export async function readConsole(folder: string): Promise<ReadonlyMap<string, ConsoleFile>> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  const paths = found
    .filter((one) => one.isFile() && isStatic(one.name))
    .map((one) => join(one.parentPath, one.name));
  const files = await Promise.all(paths.map(async (path) => staticFile(path, await readFile(path))));
  return new Map(
    paths.flatMap((path, n) => {
      const file = files[n];
      const name = path.slice(folder.length).split(sep).filter(Boolean).join('/');
      return file === undefined ? [] : [[name, { ...file, isHashed: name.startsWith('assets/') }]];
    }),
  );
}

/** Whether who asks is a browser that wants a page, and not a program that takes whatever comes. */
export function wantsPage(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes('text/html') === true;
}
