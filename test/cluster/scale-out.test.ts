import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isFinished, type Job } from '@embedmill/jobs';
import { createClient, type Client } from '@embedmill/client';
import { PartsApart } from '../../apps/cli/src/stack/parts-apart.ts';
import type { RunningPart } from '../../apps/cli/src/stack/supervisor.ts';
import { ndjson, runCli, uniqueName } from '../embedmill.ts';

/**
 * Workers that come and go beside one Redis, one store and one API, each in a process of its own, as on many machines.
 * The tests assert that all take part, and that nothing is lost or duplicated; `npm run bench -- scale` measures the
 * speed.
 */
const DOCUMENTS = 5000;
const EXACT = {
  state: 'completed',
  documents: DOCUMENTS,
  done: DOCUMENTS,
  stored: DOCUMENTS,
  chunks: DOCUMENTS,
  failed: 0,
  skipped: 0,
  duplicates: 0,
};

let folder: string;
let apart: PartsApart;
let client: Client;
const workers: RunningPart[] = [];
const collections: string[] = [];
const output: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-scale-'));
  apart = await PartsApart.start({
    folder,
    redisPackageFolder: join(folder, 'redis-package'),
    environment: {
      ...process.env,
      EMBEDMILL_SPOOL_DIR: '',
      EMBEDMILL_WORKER_CPUS: '1',
      EMBEDMILL_WORKER_LOCK_SECONDS: '10',
    },
    tell: (event) => {
      if (event.kind === 'line') output.push(`${event.part}: ${event.text}`);
    },
    signal: new AbortController().signal,
  });
  client = createClient({ url: apart.url });
});

afterAll(async () => {
  for (const name of collections) await client.collections.delete(name).catch(() => undefined);
  await apart?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function until(what: string, met: () => Promise<boolean>, seconds = 180): Promise<void> {
  for (const deadline = Date.now() + seconds * 1000; !(await met()); await setTimeout(50)) {
    if (Date.now() > deadline)
      throw new Error(`waited ${seconds} s in vain until: ${what}\n${output.join('\n')}`);
  }
}

/** Starts a worker and waits until it has loaded the model, after which it takes shards. */
async function addWorker(): Promise<RunningPart> {
  const worker = await apart.startWorker();
  workers.push(worker);
  await until('the worker is ready', async () => (await fetch(`${worker.url}/readyz`)).ok);
  return worker;
}

async function collection(prefix: string): Promise<string> {
  const name = uniqueName(prefix);
  await client.collections.create(name);
  collections.push(name);
  return name;
}

const words = 'river bank money stone cloud engine table light green seven under walk'.split(' ');
const documents = (seed: string): string =>
  ndjson(
    Array.from({ length: DOCUMENTS }, (_, n) => ({
      id: `d${n}`,
      text: `${seed} ${n} ${Array.from({ length: 5 + (n % 25) }, (_, at) => words[(n + at * at) % words.length]).join(' ')}`,
    })),
  );

async function submit(name: string): Promise<Job> {
  return client.submit(name, new Blob([documents(name)]), { idempotencyKey: name });
}

async function finished({ id }: Job): Promise<Job> {
  await until(`job ${id} has finished`, async () => isFinished((await client.jobs.get(id)).state), 240);
  return client.jobs.get(id);
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1] ?? 0,
  );
}

const settledBy = ({ url }: RunningPart): Promise<number> =>
  metric(url ?? '', 'embedmill_shards_total{outcome="settled"}');

const points = async (name: string) => (await client.collections.get(name)).points;

test('a job that is submitted while there is no worker waits, and completes once there is one', async () => {
  const name = await collection('zero');
  const job = await submit(name);
  const { model } = (await client.collections.get(name)).profile;
  const waiting = `embedmill_queue_shards{model="${model}",state="waiting"}`;
  await until('its shards wait on the queue', async () => (await metric(apart.url, waiting)) > 0);
  expect(await client.jobs.get(job.id)).toMatchObject({ state: 'running', done: 0 });
  const worker = await addWorker();
  expect(await finished(job)).toMatchObject(EXACT);
  expect(await points(name)).toBe(DOCUMENTS);
  expect(await settledBy(worker)).toBe(Math.ceil(DOCUMENTS / 256));
});

test('three workers share a job: each settles some shards, and each shard is settled once', async () => {
  while (workers.length < 3) await addWorker();
  const name = await collection('three');
  const before = await Promise.all(workers.map(settledBy));
  expect(await finished(await submit(name))).toMatchObject(EXACT);
  expect(await points(name)).toBe(DOCUMENTS);
  const settled = (await Promise.all(workers.map(settledBy))).map((count, n) => count - (before[n] ?? 0));
  for (const count of settled) expect(count).toBeGreaterThan(0);
  expect(settled.reduce((sum, count) => sum + count, 0)).toBe(Math.ceil(DOCUMENTS / 256));
});

test('kill -9 of one of three workers during a job loses and duplicates nothing', async () => {
  while (workers.length < 3) await addWorker();
  const [victim] = workers;
  if (victim === undefined) throw new Error('there is no worker');
  const name = await collection('killed');
  const before = await settledBy(victim);
  const job = await submit(name);
  await until('the victim has settled a shard', async () => (await settledBy(victim)) > before);
  expect((await client.jobs.get(job.id)).state).toBe('running');
  process.kill(victim.pid, 'SIGKILL');
  await victim.ended;
  expect(await finished(job)).toMatchObject(EXACT);
  expect(await points(name)).toBe(DOCUMENTS);
});

test('bench --scale reports the rate of each number of workers relative to one', async () => {
  const { code, stdout, stderr } = await runCli([
    ...['bench', '--scale', '2', '--repeats', '1', '--seconds', '1', '--json', '--data', folder],
  ]);
  expect(stderr).not.toMatch(/error/i);
  expect(code).toBe(0);
  const { rows } = JSON.parse(stdout) as { rows: { workers: number; tokensPerSecond: number }[] };
  expect(rows).toMatchObject([{ workers: 1, ofOne: { median: 1 } }, { workers: 2 }]);
  for (const { tokensPerSecond } of rows) expect(tokensPerSecond).toBeGreaterThan(0);
});
