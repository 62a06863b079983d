import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Interruption } from './interruption.ts';
import { LogFile } from './log-file.ts';
import { readLogLine } from './log-line.ts';

describe('Ctrl-C', () => {
  test('aborts once; what arrives with it counts as the same, a later one forces', () => {
    const interruption = new Interruption();
    let forced = 0;
    interruption.onForce(() => forced++);
    expect(interruption.signal.aborted).toBe(false);
    interruption.receive('SIGINT', 1000);
    expect(interruption).toMatchObject({ by: 'SIGINT' });
    expect(interruption.signal.aborted).toBe(true);
    interruption.receive('SIGINT', 1010);
    interruption.receive('SIGTERM', 3000);
    expect(forced).toBe(0);
    interruption.receive('SIGINT', 3000);
    expect(forced).toBe(1);
  });
});

describe('a hangup', () => {
  test('ends what is on a terminal', () => {
    const interruption = new Interruption(true);
    interruption.receive('SIGHUP');
    expect(interruption).toMatchObject({ by: 'SIGHUP', signal: { aborted: true } });
  });

  test('is nothing to what was put aside, with neither input nor output on one', () => {
    const interruption = new Interruption(false);
    interruption.receive('SIGHUP');
    expect(interruption).toMatchObject({ by: undefined, signal: { aborted: false } });
    interruption.receive('SIGTERM');
    expect(interruption).toMatchObject({ by: 'SIGTERM', signal: { aborted: true } });
  });
});

describe('bin/embedmill.js', () => {
  const bin = fileURLToPath(new URL('../../bin/embedmill.js', import.meta.url));

  test('runs the command line and passes its exit code on', () => {
    const { status, stdout } = spawnSync(process.execPath, [bin, '--version'], { encoding: 'utf8' });
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(status).toBe(0);
    expect(spawnSync(process.execPath, [bin, 'nonsense']).status).toBe(2);
  });

  const old = olderNode();
  test.skipIf(old === undefined)(
    `on an older Node, it starts the installed one, and forwards signals${old === undefined ? ' (skipped: no Node older than 24 here)' : ''}`,
    { timeout: 60_000 },
    async () => {
      // It waits for its standard input until it is interrupted; no server is asked before that.
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const child = spawn(old!, [bin, 'submit', '-', '-c', 'c', '--url', url], {
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      try {
        child.stdin.write('{"id":1,"text":"one"}\n');
        await once(server, 'connection');
        child.kill('SIGINT');
        expect(await once(child, 'exit')).toEqual([130, null]);
      } finally {
        child.kill('SIGKILL');
        server.close();
      }
      expect(spawnSync(old!, [bin, 'nonsense']).status).toBe(2);
    },
  );
});

/** The machine's own Node, when it is too old to run TypeScript itself. */
function olderNode(): string | undefined {
  const path = (process.env['PATH'] ?? '')
    .split(':')
    .filter((part) => !part.includes('node_modules'))
    .join(':');
  const { stdout } = spawnSync('node', ['-p', 'process.versions.node + " " + process.execPath'], {
    env: { ...process.env, PATH: path },
    encoding: 'utf8',
  });
  const [version = '', program] = (stdout ?? '').trim().split(' ');
  return program !== undefined && Number(version.split('.')[0]) < 24 ? program : undefined;
}

describe('logs', () => {
  test('a file that is full gives way to a new one, and one is kept', () => {
    const folder = mkdtempSync(join(tmpdir(), 'embedmill-cli-'));
    try {
      const log = new LogFile(join(folder, 'logs', 'api.log'), 100);
      for (let n = 0; n < 30; n++) log.writeLine(`line number ${n}`);
      log.close();
      log.writeLine('after the end');
      const now = readFileSync(join(folder, 'logs', 'api.log'), 'utf8');
      const before = readFileSync(join(folder, 'logs', 'api.1.log'), 'utf8');
      expect(now.length).toBeLessThanOrEqual(100);
      expect(before.length).toBeLessThanOrEqual(100);
      expect(before + now).toMatch(/line number 28\nline number 29\n$/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('lines are read for people', () => {
    expect(readLogLine('{"level":50,"msg":"no","err":{"message":"why"}}', 'stdout')).toEqual({
      text: 'no: why',
      warning: true,
    });
    expect(readLogLine('{"level":30,"msg":"yes"}', 'stderr')).toEqual({ text: 'yes', warning: false });
    expect(readLogLine('{"other":1}', 'stdout')).toEqual({ text: '{"other":1}', warning: false });
    expect(readLogLine('{broken', 'stderr')).toEqual({ text: '{broken', warning: true });
  });
});
