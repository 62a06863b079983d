import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { runCli, type UpState } from '../embedmill.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Starts `npx embedmill up` as a user or a program does, without a terminal, and waits until it is ready. */
async function npxUp(environment: NodeJS.ProcessEnv = {}) {
  const data = await mkdtemp(join(tmpdir(), 'embedmill-terminated-'));
  const npx = spawn('npx', ['embedmill', 'up', '--data', data, '--port', '0'], {
    cwd: ROOT,
    env: { ...process.env, EMBEDMILL_WORKER_PORT: '0', _: '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [npx.stdout, npx.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk));
  const [exited, closed] = [once(npx, 'exit'), once(npx, 'close')];
  const up: { state?: UpState } = {};
  const until = async (what: string, met: () => boolean | Promise<boolean>) => {
    for (const deadline = Date.now() + 150_000; !(await met()); await setTimeout(50)) {
      if (Date.now() > deadline) throw new Error(`waited 150 s in vain until: ${what}\n${output}`);
    }
  };
  const read = async () => {
    const text = await readFile(join(data, 'up.json'), 'utf8').catch(() => undefined);
    if (text !== undefined) up.state = JSON.parse(text) as UpState;
    return text !== undefined;
  };
  const processes = () =>
    [up.state!.pid, ...Object.values(up.state!.processes)].filter((pid) => pid !== null);
  const stop = async () => {
    npx.kill('SIGKILL');
    if (up.state !== undefined) for (const pid of processes()) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    await rm(data, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  try {
    await until('it is ready', read);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    npx,
    exited,
    closed,
    data,
    state: up.state!,
    processes: processes(),
    until,
    stop,
    output: () => output,
  };
}

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'up shuts down when its npx gets %s, and leaves no process',
  async (signal) => {
    const up = await npxUp();
    try {
      up.npx.kill(signal);
      await up.until('all its processes have ended', () => !up.processes.some(isAlive));
      await up.closed;
      expect(up.output()).toMatch(
        /npm, which started this, has exited[^]*stopping worker[^]*stopping redis[^]*stopped/,
      );
      expect(existsSync(join(up.data, 'up.json'))).toBe(false);
    } finally {
      await up.stop();
    }
  },
);

test('under nohup, up outlives npm, and another up names the process with the port and folder, and how to stop it', async () => {
  const up = await npxUp({ _: '/usr/bin/nohup' });
  const other = await mkdtemp(join(tmpdir(), 'embedmill-terminated-'));
  try {
    const { pid, url } = up.state;
    up.npx.kill('SIGTERM');
    await up.exited;
    process.kill(pid, 'SIGHUP');

    const port = new URL(url).port;
    const taken = await runCli(['up', '--data', other, '--port', port]);
    expect(taken).toMatchObject({ code: 1, stdout: '' });
    expect(taken.stderr).toContain(
      `port ${port} of 127.0.0.1 is in use by another embedmill, process ${pid} (`,
    );
    expect(taken.stderr).toContain(
      `on the data folder ${up.data}; stop it with "kill ${pid}", use it with --data ${up.data}, ` +
        'or choose another with --port',
    );
    const twice = await runCli(['up', '--data', up.data, '--port', '0']);
    expect(twice).toMatchObject({ code: 1, stdout: '' });
    expect(twice.stderr).toContain(`as process ${pid} at ${url}; use it, stop it with "kill ${pid}"`);

    expect(isAlive(pid)).toBe(true);
    process.kill(pid, 'SIGTERM');
    await up.until('all its processes have ended', () => !up.processes.some(isAlive));
    expect(up.output()).not.toContain('is gone');
  } finally {
    await up.stop();
    await rm(other, { recursive: true, force: true });
  }
});

test('up shuts down when the reader of its pipe ends', async () => {
  const data = await mkdtemp(join(tmpdir(), 'embedmill-terminated-'));
  const bin = join(ROOT, 'apps/cli/bin/embedmill.js');
  const child = spawn(process.execPath, [bin, 'up', '--data', data, '--port', '0'], {
    env: { ...process.env, EMBEDMILL_WORKER_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  try {
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      // It has not yet printed its address.
      child.stdout.destroy();
    });
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(said).toMatch(/redis is ready[^]*stopping redis[^]*stopped/);
    expect(existsSync(join(data, 'up.json'))).toBe(false);
  } finally {
    child.kill('SIGKILL');
    await rm(data, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
});
