import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isStatic, staticFile, type StaticFile } from './static-file.ts';

const app = import.meta.url.endsWith('.ts') ? '../..' : '..';

/** The folder of the console's build, next to this app's folder: relative to the sources, or to this app's bundle. */
export const CONSOLE_FOLDER = fileURLToPath(new URL(`${app}/../console/dist/`, import.meta.url));

/** A file of the console. */
export interface ConsoleFile extends StaticFile {
  /** Whether its name changes with its content. */
  readonly isHashed: boolean;
}

/**
 * All files of a built console by their relative paths; none if the folder does not exist. They are read and compressed
 * once and stay in memory, so no other path can be requested, whatever it looks like.
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

/** Whether the client is a browser that requests a page, and not a program that accepts anything. */
export function wantsPage(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes('text/html') === true;
}
