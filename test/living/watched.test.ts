import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { DEFAULT_PREFIX } from '@embedmill/queue';
import { createClient, type Client, type Source } from '@embedmill/client';
import { PartsApart } from '../../apps/cli/src/stack/parts-apart.ts';
import { ownRedisSocket } from '../../apps/cli/src/stack/stack-parts.ts';
import type { RunningPart } from '../../apps/cli/src/stack/supervisor.ts';

/**
 * A watched source, and several API processes on one queue and one spool: each time, one of them checks the source, and
 * if it is killed meanwhile, another one does.
 */
let folder: string;
let apart: PartsApart;
let apis: RunningPart[];
let client: Client;
let redis: Redis;
let server: Server;
/** What is served under which etag, and until when requests are kept waiting; a check ends at the headers. */
let served = { text: 'one', etag: '"1"', until: Promise.resolve() };
/** The requests for it so far. */
let asked = 0;
const output: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-watched-'));
  server = createServer((_, response) => {
    asked += 1;
    const { text, etag, until } = served;
    void until.then(() =>
      response.writeHead(200, { 'content-type': 'text/csv', etag }).end(`id,text\na,${text}\n`),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  apart = await PartsApart.start({
    folder,
    redisPackageFolder: join(folder, 'redis-package'),
    environment: { ...process.env, EMBEDMILL_SPOOL_DIR: '', EMBEDMILL_FETCH_ALLOW: '127.0.0.1' },
    tell: (event) => {
      if (event.kind === 'line') output.push(`${event.part}: ${event.text}`);
    },
    signal: new AbortController().signal,
  });
  apis = [await apart.startApi(), await apart.startApi(), await apart.startApi()];
  await apart.startWorker();
  client = createClient({ url: apart.url });
  redis = new Redis(ownRedisSocket(folder));
});
afterAll(async () => {
  redis?.disconnect();
  await apart?.stop();
  server?.closeAllConnections();
  server?.close();
  await rm(folder, { recursive: true, force: true });
});

async function until(what: string, met: () => Promise<boolean>, seconds = 120): Promise<void> {
  for (const deadline = Date.now() + seconds * 1000; !(await met()); await setTimeout(50)) {
    if (Date.now() > deadline)
      throw new Error(`waited ${seconds} s in vain until: ${what}\n${output.join('\n')}`);
  }
}

const shown = (): Promise<Source> => client.sources.get('docs', 'page');
const jobs = async (): Promise<Job[]> => (await client.jobs.list({ collection: 'docs' })).jobs;

/** The results of the checks, once there are this many and the last one's job has ended. */
async function runs(many: number): Promise<Source['runs']> {
  await until('it was looked at', async () => (await shown()).runs.length >= many);
  const found = (await shown()).runs;
  const job = found[0]?.job ?? '';
  await until('its job has ended', async () => (await client.jobs.get(job)).state === 'completed');
  return found;
}

/** The process that is checking the source. */
async function looking(): Promise<number | undefined> {
  const [key] = await redis.keys(`${DEFAULT_PREFIX}*turn:watch *`);
  return key === undefined ? undefined : Number.parseInt((await redis.get(key)) ?? '', 10);
}

/** Resolves when this many other processes have asked for its turn in vain. */
async function contested(others: number): Promise<void> {
  const monitor = await redis.monitor();
  const who = new Set<string>();
  monitor.on('monitor', (_time: string, [name, key = '', value = '']: string[], source: string) => {
    // The holder renews its turn by a script.
    const isAsking = name?.toLowerCase() === 'set' && key.includes('turn:watch ');
    if (isAsking && source !== 'lua') who.add(value);
  });
  await until('others want to look', async () => who.size >= others).finally(() => monitor.disconnect());
}

test('one of four processes checks; if it is killed meanwhile, another one checks, and one job results', async () => {
  const { port } = server.address() as AddressInfo;
  const page = `http://127.0.0.1:${port}/page.csv`;
  await client.collections.create('docs');
  await client.sources.watch('docs', 'page', { files: [page], schedule: { every: '1d' }, mode: 'snapshot' });
  expect(await runs(1)).toMatchObject([{ outcome: 'submitted', files: 1, error: null }]);

  const held = Promise.withResolvers<void>();
  served = { text: 'two', etag: '"2"', until: held.promise };
  const before = asked;
  const [, victim] = apis;
  const at = createClient({ url: victim?.url ?? '' });
  await at.sources.run('docs', 'page');
  await until('it is being looked at', async () => asked > before);
  expect(await looking()).toBe(victim?.pid);
  // All others find it due, and held by another process.
  await contested(3);
  expect(asked).toBe(before + 1);

  process.kill(victim?.pid ?? 0, 'SIGKILL');
  await victim?.ended;
  await until('another one looks', async () => asked > before + 1);
  expect(await looking()).not.toBe(victim?.pid);
  await contested(2);
  expect(asked).toBe(before + 2);
  held.resolve();

  const [last, ...earlier] = await runs(2);
  expect(last).toMatchObject({ outcome: 'submitted', changed: 1, error: null });
  expect(earlier).toHaveLength(1);
  expect((await jobs()).map(({ id, state }) => [id, state])).toEqual([
    [last?.job, 'completed'],
    [earlier[0]?.job, 'completed'],
  ]);
  // Each job fetched it once.
  expect(asked).toBe(before + 3);
  const {
    hits: [hit],
  } = await client.search('docs', { query: 'two' });
  expect(hit).toMatchObject({ id: 'a', text: 'two' });
});
