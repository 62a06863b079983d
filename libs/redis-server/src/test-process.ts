import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { testRedisProgram } from './test-redis.ts';

/** A redis-server that a test started on a port of this machine. */
export interface RedisProcess {
  port: number;
  pid: number;
  kill(): Promise<void>;
}

/** Resolves once it answers on the port. */
export async function startRedisProcess(port: number, args: string[]): Promise<RedisProcess> {
  const program = await testRedisProgram();
  const server = spawn(program.path, args, {
    stdio: 'ignore',
    env: { ...process.env, ...program.environment },
  });
  const running: RedisProcess = {
    port,
    pid: server.pid ?? 0,
    async kill() {
      server.kill('SIGKILL');
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
    },
  };
  try {
    await until(`redis-server answers on port ${port}`, () => accepts(port));
    return running;
  } catch (error) {
    await running.kill();
    throw error;
  }
}

/** A port that nobody listens on, with a free one ten thousand above it: a cluster's nodes talk there. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port;
  }
  throw new Error('no port is free');
}

/** Sends one command, as a person on telnet would, and gives what comes back for it. */
export async function tellRedis(port: number, command: string, password?: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  try {
    if (password !== undefined) {
      socket.write(`AUTH ${password}\r\n`);
      await once(socket, 'data');
    }
    socket.write(`${command}\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    const text = answer.toString();
    if (text.startsWith('-')) throw new Error(`${command.slice(0, 40)}: ${text.trim()}`);
    return text;
  } finally {
    socket.destroy();
  }
}

export async function until(what: string, met: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await met()); await setTimeout(20)) {
    if (Date.now() > deadline) throw new Error(`after 20 s still not: ${what}`);
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
