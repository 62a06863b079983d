import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startApp } from './app-process.ts';
import { LogFile } from './log-file.ts';
import { Supervisor, type Part, type PartName, type SupervisorEvent } from './supervisor.ts';

/** Real child processes, as small as they can be. */
const APPS = {
  good: `process.on('SIGTERM', () => process.exit(0)); process.send({ kind: 'ready', url: 'http://127.0.0.1:1' });`,
  stubborn: `process.on('SIGTERM', () => {}); process.send({ kind: 'ready' });`,
  silent: ``,
  broken: `console.error('the disk is on fire'); process.exit(7);`,
  chatty:
    `console.log(JSON.stringify({ level: 30, msg: 'all is well' }));` +
    `console.log(JSON.stringify({ level: 40, msg: 'careful', err: { message: 'hot' } }));` +
    `console.error('plain words'); process.send({ kind: 'ready' });`,
};
const STAY = `setInterval(() => {}, 1000); process.on('disconnect', () => process.exit());`;

let folder: string;
let events: SupervisorEvent[];
let lines: { text: string; warning: boolean }[];
let supervisors: Supervisor[];
const never = new AbortController().signal;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'embedmill-cli-'));
  events = [];
  lines = [];
  supervisors = [];
});
afterEach(async () => {
  await Promise.all(supervisors.map((supervisor) => supervisor.kill()));
  rmSync(folder, { recursive: true, force: true });
});

function start(name: PartName, app: keyof typeof APPS, signal = never, readyMs = 20_000) {
  const entry = join(folder, `${name}.mjs`);
  writeFileSync(entry, `${APPS[app]}\n${STAY}`);
  const log = new LogFile(join(folder, 'logs', `${name}.log`));
  return startApp(
    { name, entry, environment: process.env, log, onLine: (line) => lines.push(line), readyMs },
    signal,
  );
}

function part(name: PartName, app: () => keyof typeof APPS): Part {
  return { name, graceMs: 10_000, start: (signal) => start(name, app(), signal) };
}

function supervise(...parts: Part[]): Supervisor {
  const backoff = { firstMs: 10, mostMs: 40, attempts: 3 };
  const supervisor = new Supervisor(parts, (event) => events.push(event), backoff);
  supervisors.push(supervisor);
  return supervisor;
}

const told = () => events.map(({ kind, part: name }) => `${kind} ${name}`);
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('an app process', () => {
  test('is ready when it says so, with its address, and ends on SIGTERM', async () => {
    const app = await start('api', 'good');
    expect(app.url).toBe('http://127.0.0.1:1');
    await app.stop(10_000);
    expect(await app.ended).toBe('exit code 0');
  });

  test('that dies while it starts is an error with what it said last', async () => {
    await expect(start('api', 'broken')).rejects.toThrow(
      /^the api exited during startup \(exit code 7\); its log is .*api\.log\n {2}the disk is on fire$/,
    );
  });

  test('that is never ready is ended', async () => {
    await expect(start('api', 'silent', never, 300)).rejects.toThrow(/was not ready within 0\.3 s/);
  });

  test('that will not end is made to', async () => {
    const app = await start('worker', 'stubborn');
    await app.stop(50);
    expect(await app.ended).toBe('SIGKILL');
  });

  test('logs to its file; warnings and plain words on standard error are told apart', async () => {
    const app = await start('worker', 'chatty');
    await app.stop(10_000);
    expect(lines).toHaveLength(3);
    expect(lines).toEqual(
      expect.arrayContaining([
        { text: 'all is well', warning: false },
        { text: 'careful: hot', warning: true },
        { text: 'plain words', warning: true },
      ]),
    );
    expect(readFileSync(join(folder, 'logs', 'worker.log'), 'utf8')).toContain('"msg":"all is well"');
  });

  test('is not started when the signal has aborted already', async () => {
    await expect(start('api', 'good', AbortSignal.abort())).rejects.toThrow(/stopped during startup/);
  });
});

describe('the supervisor', () => {
  test('starts parts in order, and stops them the other way round', async () => {
    const supervisor = supervise(
      part('store', () => 'good'),
      part('api', () => 'good'),
    );
    await supervisor.start();
    const pids = [supervisor.running('store')!.pid, supervisor.running('api')!.pid];
    await supervisor.stop();
    expect(told()).toEqual([
      ...['starting store', 'ready store', 'starting api', 'ready api'],
      ...['stopping api', 'stopping store'],
    ]);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test('stops what it started when a later part cannot be', async () => {
    const supervisor = supervise(
      part('store', () => 'good'),
      part('api', () => 'broken'),
    );
    await expect(supervisor.start()).rejects.toThrow('the disk is on fire');
    expect(told()).toEqual(['starting store', 'ready store', 'starting api', 'stopping store']);
    expect(supervisor.running('store')).toBeUndefined();
  });

  test('starts a part again that was killed, and says so', async () => {
    const supervisor = supervise(
      part('store', () => 'good'),
      part('worker', () => 'good'),
    );
    await supervisor.start();
    const { pid } = supervisor.running('worker')!;
    const store = supervisor.running('store')!.pid;
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(supervisor.running('worker')?.pid ?? pid).not.toBe(pid), 10_000);
    expect(events).toContainEqual({ kind: 'ended', part: 'worker', how: 'SIGKILL', againInMs: 10 });
    expect(supervisor.running('store')?.pid).toBe(store);
  });

  test('gives up on a part that cannot be started again, with why', async () => {
    let app: keyof typeof APPS = 'good';
    const supervisor = supervise(part('api', () => app));
    await supervisor.start();
    app = 'broken';
    process.kill(supervisor.running('api')!.pid, 'SIGKILL');
    expect((await supervisor.gaveUp).message).toContain('the disk is on fire');
    const failed = events.filter((event) => event.kind === 'failed');
    expect(failed.map(({ againInMs }) => againInMs)).toEqual([20, 40]);
  });

  test('does not start again what ends while it stops, nor what is pausing', async () => {
    const supervisor = new Supervisor([part('api', () => 'good')], (event) => events.push(event), {
      firstMs: 60_000,
    });
    supervisors.push(supervisor);
    await supervisor.start();
    process.kill(supervisor.running('api')!.pid, 'SIGKILL');
    await vi.waitFor(() => expect(told()).toContain('ended api'), 10_000);
    await supervisor.stop();
    expect(told().filter((one) => one === 'starting api')).toHaveLength(1);
  });

  test('kill ends at once what stop is still waiting for', async () => {
    const supervisor = supervise(part('worker', () => 'stubborn'));
    await supervisor.start();
    const { pid } = supervisor.running('worker')!;
    const stopped = supervisor.stop();
    await supervisor.kill();
    await stopped;
    expect(isAlive(pid)).toBe(false);
    expect(told().filter((one) => one === 'stopping worker')).toHaveLength(1);
  });
});
