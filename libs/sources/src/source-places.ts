import { readdir, realpath, stat } from 'node:fs/promises';
import { join, posix, resolve, sep } from 'node:path';
import { EmbedmillError, formatOfName, type StoredSource } from '@embedmill/jobs';
import { isBelow, openLocalSource, unreadable } from './file-source.ts';
import { MOST_FILES, type FileFault } from './file-list.ts';
import { faultOfFile } from './gathering.ts';
import { sourceError } from './s3-error.ts';
import { parseS3Url, s3Url, type S3Objects } from './s3-objects.ts';
import { assertS3Source, openS3Source } from './source-bytes.ts';

/** A file found at a place: its location, or why it cannot be read. */
export interface FoundFile {
  name: string;
  at: StoredSource | { kind: 'none'; fault: FileFault };
}

/** The files at a place that represents many, in order of names, and the names that were skipped. */
export interface FoundFiles {
  files: FoundFile[];
  skipped: string[];
}

/**
 * Whether to include a file that was not named explicitly: it is not hidden, and its name shows a known format or has
 * no extension, like README.
 */
export function isTaken(name: string, isAnyFormat: boolean): boolean {
  const isHidden = name.split('/').some((part) => part.startsWith('.'));
  const isTold = formatOfName(name).format !== undefined || !posix.basename(name).includes('.');
  return !isHidden && (isAnyFormat || isTold);
}

/**
 * The file at a path within `allowedFolder`, or all files in the folder there, recursively; links to folders are not
 * followed. An unreadable file in a folder is listed with its reason.
 *
 * @param isAnyFormat whether to include files whose names do not show their format Errors: `source_forbidden`,
 *   `source_unreadable`, `payload_too_large` if there are too many.
 */
export async function openLocalFiles(
  path: string,
  allowedFolder: string | undefined,
  isAnyFormat: boolean,
): Promise<FoundFiles> {
  const asked = resolve(allowedFolder ?? '', path);
  const isFolder =
    allowedFolder !== undefined &&
    (asked === resolve(allowedFolder) || isBelow(resolve(allowedFolder), asked)) &&
    (await stat(asked).then(
      (info) => info.isDirectory(),
      () => false,
    ));
  if (!isFolder) {
    return { files: [{ name: path, at: await openLocalSource(path, allowedFolder) }], skipped: [] };
  }
  const [folder, root] = await Promise.all([realpath(asked), realpath(allowedFolder)]);
  if (folder !== root && !isBelow(root, folder)) {
    const message = `${JSON.stringify(path)} is not below the folder that this server may read`;
    throw new EmbedmillError('source_forbidden', message);
  }
  const found: FoundFiles = { files: [], skipped: [] };
  const name = path.split(sep).join('/').replace(/\/+$/, '');
  for await (const way of filesBelow(folder)) {
    const named = posix.join(name, way);
    if (!isTaken(way, isAnyFormat)) {
      found.skipped.push(named);
      continue;
    }
    found.files.push({ name: named, at: await openedOrFault(join(asked, way), allowedFolder) });
    assertNotTooMany(path, found);
  }
  return found;
}

/** The relative paths of the files below a folder, with slashes; hidden folders are listed, but not entered. */
export async function* filesBelow(folder: string, way = ''): AsyncGenerator<string> {
  const entries = await readdir(join(folder, way), { withFileTypes: true }).catch((error: unknown) => {
    throw unreadable(join(folder, way), error);
  });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const inner = posix.join(way, entry.name);
    if (entry.isDirectory() && !entry.name.startsWith('.')) yield* filesBelow(folder, inner);
    else if (entry.isFile() || entry.isDirectory()) yield inner;
    else if (entry.isSymbolicLink()) {
      const to = await stat(join(folder, inner)).catch(() => undefined);
      if (to === undefined || to.isFile()) yield inner;
    }
  }
}

async function openedOrFault(path: string, allowedFolder: string): Promise<FoundFile['at']> {
  try {
    return await openLocalSource(path, allowedFolder);
  } catch (thrown) {
    return { kind: 'none', fault: faultOfFile(thrown) };
  }
}

/**
 * The object that a URL names, or, if it ends with a slash or names only a bucket, all objects with that prefix.
 * Errors: those of `openS3Source`, and `payload_too_large`.
 */
export async function openS3Files(
  url: string,
  allowed: readonly string[],
  s3: S3Objects,
  isAnyFormat: boolean,
): Promise<FoundFiles> {
  const location = parseS3Url(url);
  if (location !== undefined && location.key !== '' && !location.key.endsWith('/')) {
    return { files: [{ name: url, at: await openS3Source(url, allowed, s3) }], skipped: [] };
  }
  const prefix = url.endsWith('/') ? url : `${url}/`;
  assertS3Source(prefix, allowed);
  if (location === undefined) throw new EmbedmillError('source_unreadable', `${url} is not a place in S3`);
  const found: FoundFiles = { files: [], skipped: [] };
  try {
    for await (const { key, size, etag } of s3.list(location)) {
      // An empty object that some tools create to represent a folder.
      if (key.endsWith('/')) continue;
      const name = s3Url({ bucket: location.bucket, key });
      if (!isTaken(key.slice(location.key.length), isAnyFormat)) {
        found.skipped.push(name);
        continue;
      }
      found.files.push({ name, at: { kind: 's3', uri: name, size, etag } });
      assertNotTooMany(url, found);
    }
  } catch (error) {
    throw sourceError(url, error);
  }
  return found;
}

function assertNotTooMany(place: string, { files }: FoundFiles): void {
  if (files.length <= MOST_FILES) return;
  const message = `there are more than ${MOST_FILES} files below ${JSON.stringify(place)}; submit them in several jobs`;
  throw new EmbedmillError('payload_too_large', message);
}
