import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { EmbedmillError, type SourceRef } from '@embedmill/jobs';

/**
 * The bytes `offset` to `offset + length` of a source. A file that is not as it was when the job was
 * submitted gives `source_changed`; one that cannot be read, `source_unreadable`.
 */
export async function* readSource(
  source: SourceRef,
  offset = 0,
  length?: number,
): AsyncGenerator<Uint8Array> {
  if (source.kind === 'inline') {
    const bytes = Buffer.from(source.lines.map((line) => `${line}\n`).join(''), 'utf8');
    yield bytes.subarray(offset, length === undefined ? undefined : offset + length);
    return;
  }
  const path = fileURLToPath(source.uri);
  await assertUnchanged(path, source);
  const end = length === undefined ? source.size : offset + length;
  if (end <= offset) return;
  let given = 0;
  try {
    for await (const chunk of createReadStream(path, {
      start: offset,
      end: end - 1,
      highWaterMark: 1 << 18,
    })) {
      given += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  if (given !== end - offset) await assertUnchanged(path, source);
}

/**
 * A file that the server may read in place: below `allowedFolder`, links resolved.
 * Errors: `source_forbidden` outside of it, `source_unreadable` when it is no readable file.
 */
export async function openLocalSource(path: string, allowedFolder: string | undefined): Promise<SourceRef> {
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
  const real = await realpath(asked).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (!isBelow(folder, real)) throw outside;
  const info = await stat(real);
  if (!info.isFile()) throw new EmbedmillError('source_unreadable', `${JSON.stringify(path)} is not a file`);
  return fileSource(real);
}

/** A reference to a file as it is now. */
export async function fileSource(path: string): Promise<Extract<SourceRef, { kind: 'file' }>> {
  const info = await stat(path);
  return { kind: 'file', uri: pathToFileURL(path).href, size: info.size, modified: info.mtimeMs };
}

async function assertUnchanged(path: string, source: Extract<SourceRef, { kind: 'file' }>): Promise<void> {
  const info = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (info.size !== source.size || info.mtimeMs !== source.modified) {
    const message = `${path} changed after the job was submitted; submit it again and leave it alone until the job ends`;
    throw new EmbedmillError('source_changed', message);
  }
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function unreadable(path: string, error: unknown): EmbedmillError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const why =
    code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'permission denied' : String(error);
  return new EmbedmillError('source_unreadable', `cannot read ${path}: ${why}`, { cause: error });
}
