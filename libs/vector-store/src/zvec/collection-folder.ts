import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import {
  denseVectors,
  collectionSchema,
  EmbedmillError,
  parseKept,
  type Collection,
  type DenseName,
} from '@embedmill/jobs';

/**
 * A collection's folder: `collection.json` with its definition, and a table for each of its dense vectors: `zvec/` for
 * the one named `dense`, `zvec-dense_2/` for `dense_2`; once something was deleted, `tombstones/`; and if it has token
 * vectors, `tokens.sqlite`.
 *
 * `collection.json` is written last when a collection is created and removed first when it is deleted, each time synced
 * to the disk. So a folder without it is the remains of an interrupted creation or deletion, and is removed. In the
 * same way, it is replaced after a table has been added and before one is removed: a table that it does not mention is
 * the remains of a crash.
 */
const DEFINITION = 'collection.json';
const DATA = 'zvec';
const FORMAT = 1;
export const definitionFileSchema = z.strictObject({
  format: z.literal(FORMAT),
  collection: collectionSchema,
});
/** The folder of a collection's tombstones. */
export const TOMBSTONES = 'tombstones';
/** The file of its token vectors; SQLite has further files next to it while it is open. */
export const TOKENS = 'tokens.sqlite';

/** The folder of the table of a dense vector. */
export function tableFolder(folder: string, vector: DenseName): string {
  return join(folder, tableName(vector));
}

function tableName(vector: DenseName): string {
  return vector === 'dense' ? DATA : `${DATA}-${vector}`;
}

const isTable = (name: string): boolean => name === DATA || name.startsWith(`${DATA}-`);
const isOurs = (name: string): boolean =>
  isTable(name) || name === TOMBSTONES || name.startsWith(TOKENS) || name === `${DEFINITION}.new`;

/**
 * The collections below `root`, with their folders. Removes the remains of crashes.
 *
 * @throws EmbedmillError `store_unavailable` if a definition cannot be read.
 */
export async function findCollections(root: string): Promise<{ collection: Collection; folder: string }[]> {
  await mkdir(root, { recursive: true });
  const found: { collection: Collection; folder: string }[] = [];
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const folder = join(root, entry.name);
    const names = await readdir(folder);
    if (names.includes(DEFINITION)) {
      const collection = await readDefinition(folder);
      const tables = denseVectors(collection).map((vector) => tableName(vector.name));
      const left = names.filter((name) => isTable(name) && !tables.includes(name));
      for (const name of left) await removeFolder(join(folder, name));
      found.push({ collection, folder });
    }
    // A folder with other content is not ours to remove.
    else if (names.every(isOurs)) await removeFolder(folder);
  }
  return found;
}

/** @throws EmbedmillError `store_rejected` if something other than a collection is there. */
export async function createFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (thrown) {
    throw new EmbedmillError('store_rejected', `${folder} cannot be created; move away what exists there`, {
      cause: thrown,
    });
  }
}

export async function writeDefinition(folder: string, collection: Collection): Promise<void> {
  const file = join(folder, DEFINITION);
  const handle = await open(`${file}.new`, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify({ format: FORMAT, collection }, null, 2));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
  await syncFile(folder);
  await syncFile(join(folder, '..'));
}

export async function removeDefinition(folder: string): Promise<void> {
  await rm(join(folder, DEFINITION), { force: true });
  await syncFile(folder);
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** Syncs zvec's write-ahead logs to the disk: zvec writes them at once, but leaves syncing to the system. */
export async function syncLogs(table: string): Promise<void> {
  for (const segment of (await readdir(table)).filter(isSegment)) {
    // Below are indexes, which zvec rebuilds from its logs.
    for (const name of (await unlessGone(readdir(join(table, segment)))) ?? []) {
      if (name.endsWith('.wal')) await unlessGone(syncFile(join(table, segment, name)));
    }
  }
}

/** The number of segments of a table. */
export async function countSegments(table: string): Promise<number> {
  return (await readdir(table)).filter(isSegment).length;
}

/** zvec numbers the folders of its segments. */
const isSegment = (name: string): boolean => /^\d+$/.test(name);

/** Syncs everything below a folder. */
export async function syncFiles(folder: string): Promise<void> {
  // zvec replaces files and folders while it merges; missing ones need no sync.
  const entries = (await unlessGone(readdir(folder, { withFileTypes: true }))) ?? [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncFiles(path);
    else if (entry.isFile()) await unlessGone(syncFile(path));
  }
}

/** Syncs a file, or the entries of a folder. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function unlessGone<T>(action: Promise<T>): Promise<T | undefined> {
  try {
    return await action;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}

async function readDefinition(folder: string): Promise<Collection> {
  const file = join(folder, DEFINITION);
  try {
    return parseKept(definitionFileSchema, JSON.parse(await readFile(file, 'utf8'))).collection;
  } catch (thrown) {
    throw new EmbedmillError(
      'store_unavailable',
      `this version of embedmill cannot read the definition in ${file}; restore it, or move the folder away`,
      { cause: thrown },
    );
  }
}
