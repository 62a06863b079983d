import type { Stats } from 'node:fs';
import { constants, open, realpath, stat, type FileHandle } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { EmbedmillError, type SourceRef } from '@embedmill/jobs';

export type FileSource = Extract<SourceRef, { kind: 'file' }>;

/** Like `readSource`. */
export async function* readFile(
  source: FileSource,
  offset: number,
  length: number | undefined,
): AsyncGenerator<Uint8Array> {
  const file = await openFile(source);
  try {
    const end = length === undefined ? source.size : offset + length;
    if (end <= offset) return;
    let given = 0;
    const range = { start: offset, end: end - 1, highWaterMark: 1 << 18, autoClose: false };
    for await (const chunk of file.createReadStream(range)) {
      given += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
    if (given !== end - offset) assertUnchanged(await file.stat(), source);
  } catch (error) {
    throw error instanceof EmbedmillError ? error : unreadable(fileURLToPath(source.uri), error);
  } finally {
    await file.close();
  }
}

/**
 * A file that the server may read in place: within `allowedFolder` after links are resolved, both now and whenever it
 * is read. Errors: `source_forbidden` outside the folder, `source_unreadable` if it is not a readable file.
 */
export async function openLocalSource(path: string, allowedFolder: string | undefined): Promise<FileSource> {
  if (allowedFolder === undefined) {
    throw new EmbedmillError(
      'source_forbidden',
      'this server reads no local files; start it with --source-dir (EMBEDMILL_API_SOURCE_DIR), or upload the file',
    );
  }
  const folder = await realpath(allowedFolder).catch((error: unknown) => {
    throw unreadable(allowedFolder, error);
  });
  const asked = resolve(folder, path);
  const outside = new EmbedmillError(
    'source_forbidden',
    `${JSON.stringify(path)} is not below the folder that this server may read; move the file there, or upload it`,
  );
  if (!isBelow(folder, asked)) throw outside;
  const file = await openAsFile(asked).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    const info = await file.stat();
    if (!info.isFile())
      throw new EmbedmillError(
        'source_unreadable',
        `${JSON.stringify(path)} is not a file; name the folder in "files" to read everything below it`,
      );
    const real = await realPathOf(file, asked);
    if (!isBelow(folder, real)) throw outside;
    return { ...referenceTo(real, info), below: folder };
  } finally {
    await file.close();
  }
}

/** A reference to a file in its current state. */
export async function fileSource(path: string): Promise<FileSource> {
  return referenceTo(path, await stat(path));
}

function referenceTo(path: string, { size, mtimeMs }: Stats): FileSource {
  return { kind: 'file', uri: pathToFileURL(path).href, size, modified: mtimeMs };
}

/**
 * Opens a source once, so that the checked file is the one that is read: anybody who can write to its folder could
 * replace it by another file or a link in between.
 */
async function openFile(source: FileSource): Promise<FileHandle> {
  const path = fileURLToPath(source.uri);
  const file = await openAsFile(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    assertUnchanged(await file.stat(), source);
    if (source.below !== undefined && !isBelow(source.below, await realPathOf(file, path)))
      throw changed(source);
    return file;
  } catch (error) {
    await file.close();
    throw error instanceof EmbedmillError ? error : unreadable(path, error);
  }
}

/** Opening a pipe would wait for a writer. */
const openAsFile = (path: string) => open(path, constants.O_RDONLY | constants.O_NONBLOCK);

/** The real path of an open file, from the kernel if possible, otherwise by resolving its path now. */
async function realPathOf(file: FileHandle, path: string): Promise<string> {
  return realpath(`/proc/self/fd/${file.fd}`).catch(() => realpath(path));
}

function assertUnchanged(info: Stats, source: FileSource): void {
  if (!info.isFile() || info.size !== source.size || info.mtimeMs !== source.modified) throw changed(source);
}

function changed(source: FileSource): EmbedmillError {
  const path = fileURLToPath(source.uri);
  const message = `${path} changed after the job was submitted; submit it again and do not change it until the job ends`;
  return new EmbedmillError('source_changed', message);
}

/** Whether a path is within a folder. */
export function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** `source_unreadable`, with the system's reason. */
export function unreadable(path: string, error: unknown): EmbedmillError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const why =
    code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'permission denied' : String(error);
  return new EmbedmillError('source_unreadable', `cannot read ${path}: ${why}`, { cause: error });
}
