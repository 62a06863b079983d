import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  ensureDataFolder,
  leftoverProcesses,
  lockDataFolder,
  readUpFile,
  socketPath,
  writeUpFile,
} from './data-folder.ts';
import { freePort } from './port.ts';

let folder: string;
const stops: (() => unknown)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'embedmill-cli-'));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  rmSync(folder, { recursive: true, force: true });
});

const CONTENT = {
  url: 'http://127.0.0.1:7070',
  metrics: { api: 'http://127.0.0.1:7070/metrics', worker: null },
  processes: { api: 1, worker: null, store: null, redis: null },
  redis: '/redis.sock',
  startedAt: '2026-01-02T03:04:05.000Z',
};

/** Another process that owns the folder, as `up` would. */
async function otherUp(processes = CONTENT.processes) {
  const script = `
    const { lockDataFolder, writeUpFile } = await import(${JSON.stringify(new URL('./data-folder.ts', import.meta.url))});
    lockDataFolder(${JSON.stringify(folder)});
    writeUpFile(${JSON.stringify(folder)}, ${JSON.stringify({ ...CONTENT, processes })});
    console.log('locked');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  stops.push(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

test('a data folder is made for this user only', () => {
  const inner = join(folder, 'a', 'b');
  ensureDataFolder(inner);
  expect(statSync(inner).mode & 0o777).toBe(0o700);
  expect(() => ensureDataFolder('/dev/null/x')).toThrow(/cannot be created .*--data/);
});

test('one that is taken is refused, with who has it and where it serves', async () => {
  const other = await otherUp();
  expect(readUpFile(folder)).toMatchObject({ pid: other.pid, url: CONTENT.url });
  expect(() => lockDataFolder(folder)).toThrow(
    `embedmill already runs on ${folder}, as process ${other.pid} at ${CONTENT.url}`,
  );
});

test('one whose owner was killed can be taken, and its up.json counts no more', async () => {
  const other = await otherUp();
  other.kill('SIGKILL');
  await once(other, 'exit');
  expect(existsSync(join(folder, 'up.json'))).toBe(true);
  expect(readUpFile(folder)).toBeUndefined();
  const release = lockDataFolder(folder);
  expect(JSON.parse(readFileSync(join(folder, 'up.lock'), 'utf8'))).toMatchObject({ pid: process.pid });
  release();
  expect(existsSync(join(folder, 'up.lock'))).toBe(false);
});

test('a lock of an earlier process with the same id, of this or another living one, is not taken for theirs', () => {
  for (const pid of [process.pid, process.ppid]) {
    writeFileSync(join(folder, 'up.lock'), JSON.stringify({ pid, owner: `boot/${pid}/1` }));
    lockDataFolder(folder)();
  }
});

test('a lock that is no JSON is left over from a crash', () => {
  writeFileSync(join(folder, 'up.lock'), '{"pid":');
  lockDataFolder(folder)();
});

test('children of a killed up that still wind up are known, those of a living one are its own', async () => {
  const child = spawn('sleep', ['60']);
  stops.push(() => child.kill('SIGKILL'));
  const other = await otherUp({ api: child.pid!, worker: null, store: null, redis: null } as never);
  expect(leftoverProcesses(folder)).toEqual([]);
  other.kill('SIGKILL');
  await once(other, 'exit');
  expect(leftoverProcesses(folder)).toEqual([child.pid]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(leftoverProcesses(folder)).toEqual([]);
});

test('up.json of this process is read back', () => {
  writeUpFile(folder, CONTENT);
  expect(readUpFile(folder)).toMatchObject({ ...CONTENT, pid: process.pid });
});

test('a socket is in the data folder, or where that path is too long in a private one', () => {
  expect(socketPath(folder, 'redis', 'redis.sock')).toBe(join(folder, 'redis', 'redis.sock'));
  const deep = join(folder, 'x'.repeat(100));
  const path = socketPath(deep, 'redis', 'redis.sock');
  stops.push(() => rmSync(dirname(path), { recursive: true, force: true }));
  expect(Buffer.byteLength(path)).toBeLessThanOrEqual(100);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
  expect(socketPath(deep, 'redis', 'redis.sock')).toBe(path);
  expect(socketPath(`${deep}y`, 'redis', 'redis.sock')).not.toBe(path);
  stops.push(() => rmSync(dirname(socketPath(`${deep}y`, 'r')), { recursive: true, force: true }));
});

test('a socket folder that others can enter is refused', () => {
  const deep = join(folder, 'z'.repeat(100));
  const path = socketPath(deep, 'store.sock');
  stops.push(() => rmSync(dirname(path), { recursive: true, force: true }));
  rmSync(dirname(path), { recursive: true });
  mkdirSync(dirname(path), { mode: 0o755 });
  expect(() => socketPath(deep, 'store.sock')).toThrow(/--data/);
});

test('a port in use is an error that names who has it, how to end that, and the option', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  stops.push(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await expect(freePort('127.0.0.1', port, '--port')).rejects.toThrow(
    new RegExp(
      `^port ${port} of 127\\.0\\.0\\.1 is in use by process ${process.pid} \\(.*\\); ` +
        `stop it with "kill ${process.pid}", or choose another with --port \\(0 takes any free one\\)$`,
    ),
  );
  expect(await freePort('127.0.0.1', 0, '--port')).toBe(0);
});
