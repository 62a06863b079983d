import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

const known = new Map<string, string>();

/**
 * SHA-256 of a file, in hex. Computed once per process, and again only if the file's size or time has changed. The
 * largest files take some seconds, in the background.
 */
export async function sha256Of(path: string, signal?: AbortSignal): Promise<string> {
  const { size, mtimeMs, ino } = await stat(path);
  const key = `${path} ${ino} ${size} ${mtimeMs}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal })) {
    hash.update(chunk as Buffer);
  }
  const digest = hash.digest('hex');
  known.set(key, digest);
  return digest;
}

/** The size of a file in bytes; undefined if it does not exist or is not a file. */
export async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true ? found.size : undefined;
}
