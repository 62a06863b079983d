import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { startTestRedis } from '@embedmill/redis-server';
import { openZvecStore, serveStore } from '@embedmill/vector-store';
import { spooledFiles } from './testing/spooled-files.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface ApiProcess {
  child: ChildProcess;
  spoolFolder: string;
  /** Resolves with the ready message; rejects if the process ends instead. */
  url: Promise<string>;
  ended: Promise<{ code: number | null; stderr: string }>;
}

/** The real process, with a real Redis and a store behind a socket, as run by `embedmill up`. */
async function startApi(
  environment: Record<string, string> = {},
  redisArgs: string[] = [],
): Promise<ApiProcess> {
  const redis = await startTestRedis(redisArgs);
  closers.push(() => redis.stop());
  const data = await mkdtemp(join(tmpdir(), 'embedmill-main-'));
  closers.push(() => rm(data, { recursive: true, force: true }));
  const store = await openZvecStore(join(data, 'vectors'));
  closers.push(() => store.close());
  const host = await serveStore(store, join(data, 'store.sock'));
  closers.push(() => host.close());
  const child = fork(MAIN, [], {
    env: {
      PATH: process.env['PATH'],
      REDIS_URL: redis.url,
      EMBEDMILL_DATA_DIR: data,
      EMBEDMILL_API_PORT: '0',
      EMBEDMILL_LOG_LEVEL: 'warn',
      ...environment,
    },
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const stderr = child.stderr === null ? Promise.resolve('') : text(child.stderr);
  const ended = once(child, 'exit').then(async ([code]) => ({
    code: code as number | null,
    stderr: await stderr,
  }));
  closers.push(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const ready = once(child, 'message').then(([message]) => {
    expect(message).toEqual({ kind: 'ready', url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) });
    return (message as { url: string }).url;
  });
  const url = Promise.race([
    ready,
    ended.then(({ code, stderr: said }): never => {
      throw new Error(`the API ended with ${code}: ${said}`);
    }),
  ]);
  url.catch(() => {});
  return { child, spoolFolder: join(data, 'spool'), url, ended };
}

async function createCollection(url: string): Promise<void> {
  const response = await fetch(`${url}/api/v1/collections`, {
    method: 'POST',
    body: '{"name":"docs"}',
    headers: { 'content-type': 'application/json' },
  });
  expect(response.status).toBe(201);
}

function upload(url: string, body: AsyncIterable<Uint8Array>): Promise<Response> {
  const init = { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, duplex: 'half' };
  return fetch(`${url}/api/v1/collections/docs/jobs`, {
    ...init,
    body: ReadableStream.from(body),
  } as RequestInit);
}

/** The peak memory of the process, in MB. */
async function peakMB({ pid }: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

test('it prints its address once it is ready, and a 200 MB upload does not grow its memory', async () => {
  const { child, url, ended } = await startApi();
  const address = await url;
  expect((await fetch(`${address}/readyz`)).status).toBe(200);
  await createCollection(address);
  async function* body(megabytes: number) {
    const line = `${JSON.stringify({ id: 'a', text: 'x', metadata: { filler: 'f'.repeat(2 ** 16) } })}\n`;
    const block = Buffer.from(line.repeat(16));
    for (let sent = 0; sent < megabytes * 1e6; sent += block.length) yield block;
  }
  expect((await upload(address, body(10))).status).toBe(202);
  const before = await peakMB(child);
  const response = await upload(address, body(200));
  expect(response.status).toBe(202);
  const grown = (await peakMB(child)) - before;
  process.stdout.write(
    `200 MB upload: the API's peak RSS went from ${before.toFixed(0)} MB up by ${grown.toFixed(0)} MB\n`,
  );
  expect(grown).toBeLessThan(150);
  child.kill('SIGTERM');
  expect(await ended).toEqual({ code: 0, stderr: '' });
});

/** An upload that pauses half way, once the server has the first half, until it is told to continue. */
async function startUpload({ url, spoolFolder }: ApiProcess) {
  const goOn = Promise.withResolvers<void>();
  async function* body() {
    yield Buffer.from('{"id":"a","text":"first half"}\n');
    await goOn.promise;
    yield Buffer.from('{"id":"b","text":"second half"}\n');
  }
  const response = upload(await url, body());
  response.catch(() => {});
  const isReceiving = async () => (await spooledFiles(spoolFolder)).some((file) => file.endsWith('.partial'));
  await expect.poll(isReceiving, { timeout: 60_000 }).toBe(true);
  return { response, goOn: goOn.resolve };
}

test('on SIGTERM it finishes the upload in flight, and takes no new one', async () => {
  const api = await startApi();
  const address = await api.url;
  await createCollection(address);
  const { response, goOn } = await startUpload(api);
  api.child.kill('SIGTERM');
  const ask = () =>
    fetch(`${address}/healthz`).then(
      ({ status }) => status,
      () => 'refused',
    );
  await expect.poll(ask, { timeout: 60_000 }).not.toBe(200);
  goOn();
  expect((await response).status).toBe(202);
  expect(await (await response).json()).toMatchObject({ collection: 'docs' });
  expect(await api.ended).toEqual({ code: 0, stderr: '' });
});

test('an upload that outlasts the shutdown is cut off and leaves nothing', async () => {
  const api = await startApi({ EMBEDMILL_API_SHUTDOWN_SECONDS: '1' });
  await createCollection(await api.url);
  const { response } = await startUpload(api);
  api.child.kill('SIGTERM');
  expect(await api.ended).toEqual({ code: 0, stderr: '' });
  await expect(response).rejects.toThrow('fetch failed');
  expect(await spooledFiles(api.spoolFolder)).toEqual([]);
});

test('it stops when the process that forked it is gone', async () => {
  const { child, url, ended } = await startApi();
  await url;
  child.disconnect();
  expect(await ended).toEqual({ code: 0, stderr: '' });
});

test.each([
  [
    'an address that others reach, without keys',
    { EMBEDMILL_API_HOST: '0.0.0.0' },
    [],
    /^embedmill api: EMBEDMILL_API_HOST: .*keys create.*\n$/,
  ],
  [
    'a keys file that is not there',
    { EMBEDMILL_API_KEYS_FILE: '/nowhere/keys.json' },
    [],
    /^embedmill api: EMBEDMILL_API_KEYS_FILE: \/nowhere\/keys.json cannot be used: ENOENT.*\n$/,
  ],
  ['a misspelt setting', { EMBEDMILL_API_PROT: '1' }, [], /^embedmill api: EMBEDMILL_API_PROT: .*\n$/],
  [
    'a Redis that may drop jobs',
    {},
    ['--maxmemory-policy', 'allkeys-lru'],
    /^embedmill api: .*noeviction.*\n$/,
  ],
  [
    'a folder that cannot be',
    { EMBEDMILL_SPOOL_DIR: '/dev/null/spool' },
    [],
    /^embedmill api: cannot write \/dev\/null\/spool.*\n$/,
  ],
])('%s ends it with one clear line', async (_, environment, redisArgs, says) => {
  const { ended } = await startApi(environment, redisArgs);
  const { code, stderr } = await ended;
  expect(stderr).toMatch(says);
  expect(code).toBe(1);
});

test('a port that is taken ends it with one clear line', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  closers.push(async () => void other.close());
  const { port } = other.address() as AddressInfo;
  const { ended } = await startApi({ EMBEDMILL_API_PORT: String(port) });
  expect(await ended).toEqual({
    code: 1,
    stderr: expect.stringMatching(/^embedmill api: .*EADDRINUSE.*\n$/),
  });
});
