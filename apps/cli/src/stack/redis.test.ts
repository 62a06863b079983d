import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { adoptRedis, askRedis, startRedis, withoutPassword } from './redis.ts';
import { testRedisProgram } from '@embedmill/redis-server';
import type { RunningPart } from './supervisor.ts';

let folder: string;
let running: RunningPart[];
const never = new AbortController().signal;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'embedmill-cli-'));
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((part) => part.stop(0)));
  rmSync(folder, { recursive: true, force: true });
});

const where = () => ({
  folder: join(folder, 'redis'),
  socket: join(folder, 'redis', 'redis.sock'),
  logPath: join(folder, 'logs', 'redis.log'),
});

async function start(): Promise<RunningPart> {
  const part = await startRedis(await testRedisProgram(), where(), never);
  running.push(part);
  return part;
}

describe('a redis-server of our own', () => {
  test('listens on a private unix socket only, writes every change through, and never evicts', async () => {
    const part = await start();
    const redis = new Redis(where().socket);
    try {
      const settings = async (name: string) => (await redis.config('GET', name)) as string[];
      expect(await settings('port')).toEqual(['port', '0']);
      expect(await settings('appendonly')).toEqual(['appendonly', 'yes']);
      expect(await settings('appendfsync')).toEqual(['appendfsync', 'always']);
      expect(await settings('maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
      expect(await settings('save')).toEqual(['save', '']);
    } finally {
      redis.disconnect();
    }
    expect(statSync(where().folder).mode & 0o777).toBe(0o700);
    expect(statSync(where().socket).mode & 0o077).toBe(0);
    expect((await askRedis(where().socket, 1000)).pid).toBe(part.pid);
  });

  test('keeps what it accepted when it is killed, and starts again over its leftover socket', async () => {
    const first = await start();
    const redis = new Redis(where().socket, { retryStrategy: () => null });
    redis.on('error', () => {});
    await redis.set('accepted', 'yes');
    await first.stop(0);
    redis.disconnect();

    await start();
    const again = new Redis(where().socket);
    expect(await again.get('accepted')).toBe('yes');
    again.disconnect();
  });

  test('is adopted when it still runs, and can then be stopped', async () => {
    const first = await start();
    const adopted = await adoptRedis(where().socket);
    expect(adopted?.pid).toBe(first.pid);
    await adopted?.stop(5000);
    expect(await first.ended).toBe('exit code 0');
    expect(await adoptRedis(where().socket)).toBeUndefined();
  });

  test('that cannot start is an error with the last lines of its log', async () => {
    await start();
    const second = startRedis(
      { path: '/bin/sh', origin: 'PATH', environment: {} },
      {
        folder: join(folder, 'second'),
        socket: join(folder, 'second', 'redis.sock'),
        logPath: join(folder, 'second.log'),
      },
      never,
    );
    await expect(second).rejects.toThrow(
      /redis-server exited during startup \(exit code 2\)[^]*\n {2}.*sh: /,
    );
  });
});

describe('a queue that is given', () => {
  test('is shown without a password', () => {
    expect(withoutPassword('rediss://me:secret@example.org:6380/2')).toBe('rediss://example.org:6380/2');
    expect(withoutPassword('/run/redis.sock')).toBe('/run/redis.sock');
    expect(withoutPassword('redis+sentinel://u:p@a:1,b:2/main')).toBe('redis+sentinel://a:1,b:2/main');
    expect(withoutPassword('postgres://u:p@h/db?password=p')).toBe('postgres://h/db');
  });
});

/** What apt-get says without a network. */
