import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { RedisProgram } from './program.ts';
import { findRedisProgram } from './redis-program.ts';

export interface TestRedis {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** Kept between runs, next to npm's packages. */
const PACKAGE_FOLDER = fileURLToPath(
  new URL('../../../node_modules/.cache/embedmill/redis', import.meta.url),
);

/** The redis-server that tests start: the machine's own, or one unpacked once for the tests. */
export function testRedisProgram(): Promise<RedisProgram> {
  return findRedisProgram(PACKAGE_FOLDER, () => {}, AbortSignal.timeout(120_000));
}

/** A real redis-server for one test, on a Unix socket in a temporary folder. */
export async function startTestRedis(args: string[] = []): Promise<TestRedis> {
  const program = await testRedisProgram();
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-redis-'));
  const url = join(folder, 'redis.sock');
  const server = spawn(
    program.path,
    ['--port', '0', '--unixsocket', url, '--dir', folder, '--save', '', ...args],
    {
      stdio: 'ignore',
      env: { ...process.env, ...program.environment },
    },
  );
  for (const deadline = Date.now() + 45_000; ; await setTimeout(20)) {
    if (await stat(url).catch(() => undefined)) break;
    if (Date.now() > deadline) throw new Error('redis-server did not start');
  }
  return {
    url,
    pid: server.pid ?? 0,
    async stop() {
      server.kill('SIGKILL');
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
