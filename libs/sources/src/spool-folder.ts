import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import {
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  unlink,
  type FileHandle,
} from 'node:fs/promises';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DiskSpace, EmbedmillError, type SourceRef, type StoredSource } from '@embedmill/jobs';
import { fileSource } from './file-source.ts';
import { isSystemError, spoolUnavailable } from './spool-error.ts';
import type { SpoolStorage } from './spool-storage.ts';

const PARTIAL = '.partial';

/**
 * A spool in a folder. A file is written under a temporary name, synced and renamed; a job's folder is removed with its
 * last file.
 */
export class SpoolFolder implements SpoolStorage {
  readonly place: string;

  readonly #disk: DiskSpace;

  private constructor(folder: string, disk: DiskSpace) {
    this.place = folder;
    this.#disk = disk;
  }

  /** `diskReserve`: bytes to keep free on its disk; DiskSpace's default if undefined. */
  static async open(folder: string, diskReserve?: number): Promise<SpoolFolder> {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw spoolUnavailable('write', folder, error);
    }
    return new SpoolFolder(folder, new DiskSpace(folder, diskReserve));
  }

  async write(key: string, body: AsyncIterable<Uint8Array>): Promise<StoredSource> {
    const path = join(this.place, key);
    const folder = dirname(path);
    const partial = `${path}.${randomUUID()}${PARTIAL}`;
    const writing = <T>(step: Promise<T>): Promise<T> =>
      step.catch((error: unknown) => {
        throw spoolUnavailable('write', path, error);
      });
    try {
      await this.#assertRoom();
      const out = await writing(createIn(folder, partial));
      try {
        for await (const chunk of body) {
          await this.#assertRoom(chunk.length);
          await writing(out.appendFile(chunk));
        }
        await writing(out.sync());
      } finally {
        await out.close();
      }
      await writing(rename(partial, path));
      await writing(syncFolder(folder));
      return await fileSource(path);
    } catch (error) {
      await rm(partial, { force: true });
      await removeIfEmpty(folder);
      throw error;
    }
  }

  async #assertRoom(bytes = 0): Promise<void> {
    const lack = await this.#disk.lack(bytes);
    if (lack !== undefined) throw new EmbedmillError('spool_unavailable', lack, { retryAfter: 10 });
  }

  async *read(key: string, offset = 0): AsyncGenerator<Uint8Array> {
    const path = join(this.place, key);
    try {
      for await (const chunk of createReadStream(path, { start: offset })) yield chunk as Buffer;
    } catch (error) {
      throw spoolUnavailable('read', path, error);
    }
  }

  async find(key: string): Promise<Buffer | undefined> {
    const path = join(this.place, key);
    return readFile(path).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw spoolUnavailable('read', path, error);
    });
  }

  async sourceAt(key: string): Promise<StoredSource> {
    const path = join(this.place, key);
    return fileSource(path).catch((error: unknown) => {
      throw spoolUnavailable('read', path, error);
    });
  }

  async *list(folder: string): AsyncGenerator<string> {
    const names = await readdir(join(this.place, folder)).catch(() => []);
    for (const name of names.sort()) if (!name.includes(PARTIAL)) yield `${folder}/${name}`;
  }

  async folders(): Promise<{ folder: string; modified: number }[]> {
    return Promise.all(
      (await readdir(this.place, { withFileTypes: true }))
        .filter((entry) => entry.isDirectory())
        .map(async ({ name: folder }) => {
          const path = join(this.place, folder);
          const names = await readdir(path).catch(() => []);
          const times = ['.', ...names].map((name) =>
            stat(join(path, name)).then(
              ({ mtimeMs }) => mtimeMs,
              () => 0,
            ),
          );
          return { folder, modified: Math.max(...(await Promise.all(times))) };
        }),
    );
  }

  async remove(key: string): Promise<void> {
    const path = join(this.place, key);
    if (await unlinked(path)) await removeIfEmpty(dirname(path));
  }

  async removeFolder(folder: string): Promise<void> {
    await rm(join(this.place, folder), { recursive: true, force: true });
  }

  async removeAbandoned(ageMs: number): Promise<void> {
    for (const job of await readdir(this.place)) {
      const folder = join(this.place, job);
      for (const name of await readdir(folder).catch(() => [])) {
        if (!name.endsWith(PARTIAL)) continue;
        const info = await stat(join(folder, name)).catch(() => undefined);
        if (info !== undefined && Date.now() - info.mtimeMs > ageMs)
          await rm(join(folder, name), { force: true });
      }
      await removeIfEmpty(folder);
    }
  }

  keyOf(source: SourceRef): string | undefined {
    if (source.kind !== 'file') return undefined;
    const way = relative(this.place, fileURLToPath(source.uri));
    return way.startsWith('..') || isAbsolute(way) ? undefined : way;
  }
}

/** Creates a file and its folder, which a refused upload for the same job may remove in between. */
async function createIn(folder: string, path: string, tries = 5): Promise<FileHandle> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return await open(path, 'wx');
  } catch (error) {
    if (isMissing(error) && tries > 1) return createIn(folder, path, tries - 1);
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return isSystemError(error) && error.code === 'ENOENT';
}

/** Whether there was a file to remove. */
async function unlinked(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch(() => {
    // The folder has other files of the job, or is already gone: both are fine.
  });
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
