import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import {
  entryByProc,
  entryByPs,
  isRunning,
  listenerOn,
  processEntry,
  startVariable,
} from './process-table.ts';

const hasProc = existsSync('/proc/self/stat');
const without = hasProc ? '' : ' (skipped without /proc)';

test('a process is known with its parent and what it was started with', async () => {
  const child = spawn('sleep', ['60'], { env: { ...process.env, TABLE_TEST: 'a=b' } });
  try {
    await once(child, 'spawn');
    expect(processEntry(child.pid!)).toEqual({ pid: child.pid, parent: process.pid, args: ['sleep', '60'] });
    expect(entryByPs(child.pid!)).toEqual(processEntry(child.pid!));
    expect(isRunning(child.pid!)).toBe(true);
    if (hasProc) expect(startVariable(child.pid!, 'TABLE_TEST')).toBe('a=b');
    expect(startVariable(child.pid!, 'TABLE_TES')).toBeUndefined();
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  expect(isRunning(child.pid!)).toBe(false);
  expect([entryByPs(child.pid!), processEntry(child.pid!)]).toEqual([undefined, undefined]);
});

test.skipIf(!hasProc)(`a process that has ended, and that nobody asked how, is over${without}`, async () => {
  // The shell becomes a sleep that asks for no child of it.
  const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'utf8'), { timeout: 60_000 }).toMatch(/\) Z /);
    expect(isRunning(pid)).toBe(false);
    expect(entryByProc(pid)).toBeUndefined();
    expect(entryByPs(pid)).toBeUndefined();
  } finally {
    parent.kill('SIGKILL');
  }
});

test.skipIf(!hasProc).each(['127.0.0.1', '::1'])(
  `who listens on a port of %s is known${without}`,
  async (host) => {
    const server = createServer().listen(0, host);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(listenerOn(port)).toBe(process.pid);
    server.close();
    await once(server, 'close');
    expect(listenerOn(port)).toBeUndefined();
  },
);
