/**
 * The data folder: who runs on it (`up.lock`, `up.json`), and where its sockets are.
 *
 * Invariant: at most one `up` owns a data folder. The owner is named by process id and, where the system tells
 * them, by when that process started and which boot it was, so that a recycled process id is not taken for it.
 */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { CommandError } from '../exit.ts';

const pid = z.int().positive();

/** What `up` writes into the data folder once it is ready, so that other commands find it. */
const upFileSchema = z.object({
  pid,
  /** Tells this process from a later one with the same id. */
  owner: z.string(),
  url: z.url(),
  metrics: z.object({ api: z.url(), worker: z.url().nullable() }),
  processes: z.object({
    api: pid.nullable(),
    worker: pid.nullable(),
    store: pid.nullable(),
    redis: pid.nullable(),
  }),
  /** The queue's address, without a password. */
  redis: z.string(),
  startedAt: z.iso.datetime(),
});
export type UpFile = z.infer<typeof upFileSchema>;

const lockSchema = z.object({ pid, owner: z.string() });

/** The longest path that every system takes for a unix socket (104 bytes on macOS, 108 on Linux), with some room. */
const LONGEST_SOCKET_PATH = 100;

export function ensureDataFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new CommandError(
      `the data folder ${folder} cannot be created (${(error as Error).message}); choose another with --data`,
    );
  }
}

/**
 * Takes the data folder for this process, and gives what releases it. Throws a `CommandError` that names the
 * owner when it is taken.
 */
export function lockDataFolder(folder: string): () => void {
  const path = join(folder, 'up.lock');
  const mine = JSON.stringify({ pid: process.pid, owner: ownerOf(process.pid) });
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      writeFileSync(path, mine, { flag: 'wx' });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') {
        throw new CommandError(
          `the data folder ${folder} cannot be written (${(error as Error).message}); choose another with --data`,
        );
      }
    }
    const found = readJson(path, lockSchema);
    if (found !== undefined && found.pid !== process.pid && isOwner(found)) {
      const url = readUpFile(folder)?.url;
      throw new CommandError(
        `embedmill already runs on ${folder}, as process ${found.pid}${url === undefined ? '' : ` at ${url}`}; ` +
          `use it, stop it with "kill ${found.pid}", or choose another folder with --data`,
      );
    }
    removeStale(path, found);
  }
  throw new CommandError(`${path} keeps changing; is embedmill being started twice at the same time?`);
}

/** The `up` that runs on this folder now; none when it was killed, and the file is left over. */
export function readUpFile(folder: string): UpFile | undefined {
  const found = readJson(join(folder, 'up.json'), upFileSchema);
  return found !== undefined && isOwner(found) ? found : undefined;
}

/**
 * The processes of an `up` that was killed, in the same boot, which end by themselves but may not have yet.
 */
export function leftoverProcesses(folder: string): number[] {
  const found = readJson(join(folder, 'up.json'), upFileSchema);
  if (found === undefined || isOwner(found)) return [];
  if (found.owner.split('/')[0] !== ownerOf(process.pid).split('/')[0]) return [];
  const { api, worker, store } = found.processes;
  return [api, worker, store].filter((one) => one !== null).filter(isAlive);
}

export function writeUpFile(folder: string, content: Omit<UpFile, 'pid' | 'owner'>): void {
  const path = join(folder, 'up.json');
  const whole: UpFile = { pid: process.pid, owner: ownerOf(process.pid), ...content };
  writeFileSync(`${path}.new`, `${JSON.stringify(whole, null, 2)}\n`);
  renameSync(`${path}.new`, path);
}

export function removeUpFile(folder: string): void {
  rmSync(join(folder, 'up.json'), { force: true });
}

/** Where a unix socket of this data folder is: in it, or when that path is too long, in a private temporary folder. */
export function socketPath(dataFolder: string, ...parts: string[]): string {
  const path = join(dataFolder, ...parts);
  if (Buffer.byteLength(path) <= LONGEST_SOCKET_PATH) return path;
  const hash = createHash('sha256').update(dataFolder).digest('hex').slice(0, 16);
  const folder = join(tmpdir(), `embedmill-${hash}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(folder);
  if (uid !== process.getuid?.() || (mode & 0o077) !== 0) {
    throw new CommandError(
      `${folder} belongs to someone else; choose a data folder with a shorter path (--data)`,
    );
  }
  return join(folder, parts.join('-'));
}

/** Two processes may find the same stale lock: only the one whose rename took that very lock goes on. */
function removeStale(path: string, stale: z.infer<typeof lockSchema> | undefined): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const taken = readJson(aside, lockSchema);
  if (taken !== undefined && taken.owner !== stale?.owner && isOwner(taken)) renameSync(aside, path);
  else rmSync(aside, { force: true });
}

function readJson<T>(path: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

function isOwner(found: { pid: number; owner: string }): boolean {
  return isAlive(found.pid) && ownerOf(found.pid) === found.owner;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** On Linux the boot, and when the process started (proc(5): field 22 of stat); elsewhere the process id alone. */
function ownerOf(pid: number): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${boot}/${pid}/${started}`;
  } catch {
    return `${pid}`;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
