/**
 * Debian's redis-server without installing it: downloaded with apt-get, whose own checks of signatures apply, and
 * unpacked into a folder. Needs no root. Works on Debian and Ubuntu.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { programOnPath, type RedisProgram } from './program.ts';

const run = promisify(execFile);

/** How often missing libraries are added until it runs: its own, then theirs, and so on. */
const LIBRARY_ROUNDS = 3;

/** Whether this system has the required programs. */
export function canUnpackRedis(): boolean {
  return (
    process.platform === 'linux' &&
    ['apt-get', 'apt-cache', 'dpkg'].every((name) => programOnPath(name) !== undefined)
  );
}

/** The redis-server that was already unpacked into this folder. */
export function unpackedRedis(folder: string): RedisProgram | undefined {
  const path = join(folder, 'usr', 'bin', 'redis-server');
  if (!existsSync(path)) return undefined;
  return { path, origin: 'package', environment: { LD_LIBRARY_PATH: libraryPath(folder) } };
}

/**
 * Downloads and unpacks redis-server into `folder`, which appears atomically. Rejects with the failing command's error;
 * its `stderr` says why.
 */
export async function unpackRedis(folder: string, signal: AbortSignal): Promise<RedisProgram> {
  const work = `${folder}.${process.pid}`;
  const root = join(work, 'root');
  try {
    for (const part of ['root', 'state/lists/partial', 'cache/archives/partial', 'packages']) {
      await mkdir(join(work, part), { recursive: true });
    }
    const apt = [
      ...['-o', `Dir::State=${join(work, 'state')}`, '-o', `Dir::Cache=${join(work, 'cache')}`],
      ...['-o', 'Debug::NoLocking=1', '-o', 'Acquire::Retries=2'],
      // As root, apt would hand the download to a user who may not write here.
      ...(process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : []),
    ];
    const options = { cwd: join(work, 'packages'), signal, env: { ...process.env, LC_ALL: 'C' } };
    const unpack = async (names: string[]): Promise<void> => {
      if (names.length === 0) return;
      await run('apt-get', ['-qq', ...apt, 'download', ...names], options);
      for (const file of readdirSync(options.cwd)) {
        await run('dpkg', ['-x', join(options.cwd, file), root], { signal });
        await rm(join(options.cwd, file));
      }
    };

    await run('apt-get', ['-qq', ...apt, 'update'], options);
    let names = ['redis-server', 'redis-tools'];
    await unpack(names);
    for (let round = 1; ; round++) {
      try {
        await tryOut(root, signal);
        break;
      } catch (error) {
        if (round > LIBRARY_ROUNDS) throw error;
      }
      const { stdout } = await run('apt-cache', [...apt, 'depends', '--important', ...names], options);
      const libraries = Array.from(stdout.matchAll(/Depends: (lib[^\s<>]+)/g), ([, name]) => name ?? '');
      // Keeps the system's C library, because another one would not run with its loader.
      names = [...new Set(libraries)].filter((name) => !/^libc6?(-|$)/.test(name));
      await unpack(names);
    }
    if (unpackedRedis(folder) === undefined) await rm(folder, { recursive: true, force: true });
    await rename(root, folder).catch((error: unknown) => {
      // Another process was faster; its result is equivalent.
      if (unpackedRedis(folder) === undefined) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const program = unpackedRedis(folder);
  if (program === undefined) throw new Error('the package has no usr/bin/redis-server');
  return program;
}

/** Runs it once. Rejects if it does not run here, most likely because a library is missing. */
async function tryOut(root: string, signal: AbortSignal): Promise<void> {
  const env = { ...process.env, LD_LIBRARY_PATH: libraryPath(root) };
  await run(join(root, 'usr', 'bin', 'redis-server'), ['--version'], { env, signal });
}

/** The folders that hold libraries, whatever their architecture-specific names, then the ones already in use. */
function libraryPath(root: string): string {
  const folders = ['usr/lib', 'lib'].flatMap((parent) => {
    const path = join(root, parent);
    if (!existsSync(path)) return [];
    const inner = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [path, ...inner.map((entry) => join(path, entry.name))];
  });
  const before = process.env['LD_LIBRARY_PATH'];
  return [...folders, ...(before === undefined || before === '' ? [] : [before])].join(delimiter);
}
