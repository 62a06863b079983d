import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

export interface TestRedis {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** A real redis-server of a test's own, on a unix socket in a temporary folder. */
export async function startTestRedis(args: string[] = []): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-redis-'));
  const url = join(folder, 'redis.sock');
  const server = spawn(
    'redis-server',
    ['--port', '0', '--unixsocket', url, '--dir', folder, '--save', '', ...args],
    {
      stdio: 'ignore',
    },
  );
  for (const deadline = Date.now() + 10_000; ; await setTimeout(20)) {
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
