import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

/** How often a holder touches its lock. A holder that has not done so for `STALE_MS` counts as dead. */
const TOUCH_MS = 2_000;
const STALE_MS = 20_000;
const POLL_MS = 100;

const holderSchema = z.object({ pid: z.int(), host: z.string(), nonce: z.string() });

/**
 * Runs `work` under a lock file that excludes other processes on the same file system. A lock whose holder died on this
 * machine is taken over at once, on another machine after 20 s. Two simultaneous holders are extremely unlikely, and
 * harmless: downloads are verified before use.
 */
export async function withLock<T>(
  path: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const nonce = randomUUID();
  while (!(await take(path, nonce))) {
    await removeIfDead(path);
    await delay(POLL_MS, undefined, signal === undefined ? {} : { signal });
  }
  const touching = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, TOUCH_MS);
  try {
    return await work();
  } finally {
    clearInterval(touching);
    if ((await holderOf(path))?.nonce === nonce) await rm(path, { force: true });
  }
}

async function take(path: string, nonce: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(JSON.stringify({ pid: process.pid, host: hostname(), nonce }));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function holderOf(path: string): Promise<z.infer<typeof holderSchema> | undefined> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

async function removeIfDead(path: string): Promise<void> {
  const holder = await holderOf(path);
  const touched = await stat(path).catch(() => undefined);
  if (touched === undefined) return;
  const isStale = Date.now() - touched.mtimeMs > STALE_MS;
  const isOurs = holder?.host === hostname();
  if (!isStale && !(isOurs && !isRunning(holder.pid))) return;
  // Renamed first, so that a lock that another process takes meanwhile is not removed.
  const aside = `${path}.${randomUUID()}`;
  await rename(path, aside).catch(() => undefined);
  const moved = await holderOf(aside);
  if (moved !== undefined && moved.nonce !== holder?.nonce) await rename(aside, path).catch(() => undefined);
  else await rm(aside, { force: true });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
