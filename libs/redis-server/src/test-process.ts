import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
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

/** How to start a server; `port` is where it listens. */
export interface RedisPlan {
  port: number;
  args: string[];
}

/** The number of attempts, because another process may take a free port before it is used. */
const ATTEMPTS = 5;

/** Starts a server, again with a new plan if its port was taken meanwhile. Resolves once it listens. */
export async function startRedisProcess(plan: () => Promise<RedisPlan>): Promise<RedisProcess> {
  for (let attempt = 1; ; attempt += 1) {
    const { port, args } = await plan();
    const started = await start(port, args);
    if (typeof started !== 'string') return started;
    if (attempt === ATTEMPTS) throw new Error(`redis-server ended while it started: ${started}`);
  }
}

/** Returns its output if it ended. */
async function start(port: number, args: string[]): Promise<RedisProcess | string> {
  const program = await testRedisProgram();
  const server = spawn(program.path, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...program.environment },
  });
  let log = '';
  let isListening = false;
  server.stdout.on('data', (chunk: Buffer) => {
    if (isListening) return;
    log += chunk.toString();
    // Checks the output, because another process may be listening on the port. The second text is a sentinel's.
    isListening = /Ready to accept connections|Sentinel ID is/.test(log);
  });
  const hasEnded = () => server.exitCode !== null || server.signalCode !== null;
  const running: RedisProcess = {
    port,
    pid: server.pid ?? 0,
    async kill() {
      server.kill('SIGKILL');
      if (!hasEnded()) await once(server, 'exit');
    },
  };
  try {
    await until(`redis-server listens on port ${port}`, async () => isListening || hasEnded());
  } catch (error) {
    await running.kill();
    throw error;
  }
  return hasEnded() ? log : running;
}

/** A free port whose number plus ten thousand is also free, which is a cluster node's bus port. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(20_000, 32_000);
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port;
  }
  throw new Error('no port is free');
}

/** Sends one inline command, as over telnet, and returns the reply. */
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
  for (const deadline = Date.now() + 90_000; !(await met()); await setTimeout(20)) {
    if (Date.now() > deadline) throw new Error(`after 90 s still not: ${what}`);
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
