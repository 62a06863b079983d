import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Embedmill, ndjson } from './embedmill.ts';

const KEY = 'remote-key-7Qx3vZ0pLm';
let mill: Embedmill;

beforeAll(async () => {
  mill = await Embedmill.up({
    args: ['--verbose'],
    env: { EMBEDMILL_LOG_LEVEL: 'debug', EMBEDMILL_WORKER_REMOTE_KEY: KEY },
  });
});
afterAll(() => mill.stop());

type Line = Record<string, unknown>;

async function textOf(app: 'api' | 'worker' | 'store'): Promise<string[]> {
  return (await readFile(join(mill.data, 'logs', `${app}.log`), 'utf8')).split('\n').filter(Boolean);
}

async function linesOf(app: 'api' | 'worker' | 'store'): Promise<Line[]> {
  return (await textOf(app)).map((line) => JSON.parse(line) as Line);
}

/** The keys of a line's object in order, without nested ones. */
function keysOf(line: string): string[] {
  const values = line.replaceAll(/"(?:[^"\\]|\\.)*"(?!\s*:)/g, '0');
  let flat = values.slice(1, -1);
  for (let before = ''; before !== flat;) {
    before = flat;
    flat = flat.replaceAll(/\{[^{}]*\}|\[[^[\]]*\]/g, '0');
  }
  return Array.from(flat.matchAll(/"((?:[^"\\]|\\.)*)"\s*:/g), ([, key = '']) => key);
}

test('a job’s log lines share its id, in the API and in workers, and those of its request share the request’s id', async () => {
  const name = await mill.collection('logs');
  const documents = Array.from({ length: 600 }, (_, n) => ({ id: `d${n}`, text: `text number ${n}` }));
  const job = await mill.submit(name, ndjson(documents));
  expect(await mill.finished(job)).toMatchObject({ state: 'completed', stored: 600 });

  // The end is logged after it is saved.
  const api = await vi.waitFor(
    async () => {
      const lines = (await linesOf('api')).filter((line) => line['job'] === job.id);
      expect(lines.map(({ msg }) => msg)).toEqual([
        'a job was submitted',
        'the job is running',
        'the job has finished',
      ]);
      return lines;
    },
    { timeout: 30_000 },
  );
  const { request } = api[0] ?? {};
  const answered = (await linesOf('api')).find(
    (line) => line['request'] === request && line['msg'] === 'request',
  );
  expect(answered).toMatchObject({ method: 'POST', status: 202, app: 'api' });

  const worker = (await linesOf('worker')).filter((line) => line['job'] === job.id);
  expect(worker.map(({ msg, shard, documents: count }) => ({ msg, shard, count })).toSorted(byShard)).toEqual(
    [256, 256, 88].map((count, shard) => ({ msg: 'the shard is settled', shard, count })),
  );
});

const byShard = (a: { shard: unknown }, b: { shard: unknown }): number => Number(a.shard) - Number(b.shard);

test('no log line has a key twice', async () => {
  for (const app of ['api', 'worker', 'store'] as const) {
    if (app === 'store' && (await mill.state()).processes.store === null) continue;
    for (const line of await textOf(app)) expect(new Set(keysOf(line)).size, line).toBe(keysOf(line).length);
  }
});

test('every log line of every process has the same shape, is shown by up, and contains no API key', async () => {
  for (const app of ['api', 'worker', 'store'] as const) {
    // With an external Qdrant, there is no store process.
    if (app === 'store' && (await mill.state()).processes.store === null) continue;
    const lines = await linesOf(app);
    expect(lines.length, app).toBeGreaterThan(0);
    for (const line of lines) {
      expect(line).toMatchObject({
        app,
        level: expect.any(Number),
        time: expect.any(Number),
        pid: expect.any(Number),
      });
      expect(JSON.stringify(line)).not.toContain(KEY);
      expect(mill.output).toContain(String(line['msg']));
    }
  }
});
