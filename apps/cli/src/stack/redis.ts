/**
 * The Redis of the embedded mode: a redis-server of our own, on a unix socket that only this user can open.
 *
 * It writes every change to its append-only file before it answers, so that an accepted job outlives a power cut,
 * and never evicts. It runs in a session of its own: a killed `up` leaves it running, and the next one adopts it.
 */
import { spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { childEnvironment } from '@embedmill/jobs';
import { endProcess, whenEnded } from './ended.ts';
import { CommandError } from '../exit.ts';
import type { RedisProgram } from '@embedmill/redis-server';
import type { RunningPart } from './supervisor.ts';

/** What a Redis says of itself. */
export interface RedisState {
  version: string;
  pid: number;
  evictionPolicy: string;
}

/** How long a start may take: a long append-only file takes some seconds to load. */
const READY_MS = 120_000;

/**
 * Asks the Redis at this URL or socket path, once. Rejects when it cannot be reached, refuses us, or is still
 * loading `deadlineMs` later.
 */
export async function askRedis(url: string, deadlineMs: number): Promise<RedisState> {
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: deadlineMs,
    commandTimeout: deadlineMs,
    maxLoadingRetryTime: deadlineMs,
  });
  let problem: Error | undefined;
  redis.on('error', (error: Error) => (problem = error));
  try {
    await redis.connect();
    const info = await redis.info();
    const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
    return {
      version: field('redis_version'),
      pid: Number(field('process_id')),
      evictionPolicy: field('maxmemory_policy'),
    };
  } catch (error) {
    throw problem ?? error;
  } finally {
    redis.disconnect();
  }
}

/** The Redis that runs on this socket, left over from an `up` that was killed. */
export async function adoptRedis(socket: string): Promise<RunningPart | undefined> {
  const state = await askRedis(socket, READY_MS).catch(() => undefined);
  if (state === undefined) return undefined;
  const { pid } = state;
  const ended = (async () => {
    while (isAlive(pid)) await sleep(500);
    return 'it no longer exists';
  })();
  const stop = async (graceMs: number): Promise<void> => {
    if (graceMs > 0) signalProcess(pid, 'SIGTERM');
    const timer = setTimeout(() => signalProcess(pid, 'SIGKILL'), graceMs);
    await ended;
    clearTimeout(timer);
  };
  return { pid, url: socket, ended, stop };
}

/** Starts a redis-server that keeps its file in `folder`; resolves when it answers on the socket. */
export async function startRedis(
  program: RedisProgram,
  where: { folder: string; socket: string; logPath: string },
  signal: AbortSignal,
): Promise<RunningPart> {
  const { folder, socket, logPath } = where;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  rmSync(socket, { force: true });
  // It holds the file itself: it goes on logging when this process is killed.
  mkdirSync(dirname(logPath), { recursive: true });
  const log = openSync(logPath, 'w');
  const child = spawn(program.path, redisArguments(folder, socket), {
    env: childEnvironment(process.env, program.environment),
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = whenEnded(child);
  let how: string | undefined;
  void ended.then((said) => (how = said));

  for (const deadline = performance.now() + READY_MS; ; await sleep(20)) {
    const problem =
      (signal.aborted ? 'was stopped during startup' : undefined) ??
      (how === undefined ? undefined : `exited during startup (${how})`) ??
      (performance.now() > deadline ? `was not ready within ${READY_MS / 1000} s` : undefined);
    if (problem !== undefined) {
      await endProcess(child, ended, 5000);
      const lastLines = readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-8);
      throw new CommandError(
        `redis-server ${problem}; its log is ${logPath}${lastLines.map((line) => `\n  ${line}`).join('')}`,
      );
    }
    const state = await askRedis(socket, 1000).catch(() => undefined);
    if (child.pid !== undefined && state?.pid === child.pid) {
      return { pid: child.pid, url: socket, ended, stop: (graceMs) => endProcess(child, ended, graceMs) };
    }
  }
}

function redisArguments(folder: string, socket: string): string[] {
  const settings: Record<string, string> = {
    port: '0',
    unixsocket: socket,
    unixsocketperm: '700',
    dir: folder,
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

/** The address as it may be printed, without user, password and options. */
export function withoutPassword(url: string): string {
  return url.replace(/(?<=:\/\/).*@/s, '').replace(/\?.*$/s, '');
}

function isAlive(pid: number): boolean {
  return signalProcess(pid, 0);
}

/** Whether there was such a process to send it to. */
function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
