import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GuardedFetch } from '@embedmill/fetching';
import type { JobId } from '@embedmill/jobs';
import { Spool } from './spool.ts';
import { fetchSource } from './url.ts';

const JOB = 'job_1' as JobId;
let folder: string;
let spool: Spool;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-url-'));
  spool = await Spool.open(join(folder, 'spool'));
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await rm(folder, { recursive: true, force: true });
});

async function serve(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener).listen(0, '127.0.0.1');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/data?token=secret`;
}

function fetched(url: string, allow = ['127.0.0.1'], signal?: AbortSignal) {
  const fetching = new GuardedFetch({ allow, idleSeconds: 0.5, minBytesPerSecond: 1000 });
  closers.push(() => fetching.close());
  return fetchSource(spool, JOB, url, { open: fetching.open.bind(fetching), maxBytes: 100, signal });
}

test('a URL is copied to the spool', async () => {
  const url = await serve((_request, response) => response.end('one\ntwo\n'));
  const { source } = await fetched(url);
  const text = Buffer.concat(await Array.fromAsync(spool.readSource(source))).toString();
  expect(text).toBe('one\ntwo\n');
});

test.each<[string, RequestListener, string]>([
  ['is not there', (_request, response) => response.writeHead(404).end(), 'source_unreadable'],
  [
    'breaks off',
    (_request, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('half', () => response.destroy());
    },
    'source_unreadable',
  ],
  ['is too large', (_request, response) => response.end('x'.repeat(200)), 'payload_too_large'],
  ['says nothing', (_request, response) => void response.writeHead(200).write('x'), 'source_unreadable'],
  [
    'drips',
    (_request, response) => {
      const drip = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(drip));
    },
    'source_unreadable',
  ],
  [
    'blows up when it is decoded',
    (_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(50_000_000))),
    'payload_too_large',
  ],
  [
    'goes round in circles',
    (_request, response) => response.writeHead(302, { location: '/again' }).end(),
    'source_unreadable',
  ],
  [
    'leads to a file',
    (_request, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    'source_forbidden',
  ],
  [
    'is a page that asks to sign in',
    (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Sign in'),
    'source_unreadable',
  ],
  [
    'leads to a cloud’s metadata',
    (_request, response) =>
      response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
    'source_forbidden',
  ],
])(
  'a URL that %s gives a clear error, keeps its secrets, and leaves nothing',
  async (_name, listener, code) => {
    const fetching = fetched(await serve(listener));
    await expect(fetching).rejects.toMatchObject({ code });
    await expect(fetching).rejects.not.toThrow(/secret/);
    expect(await readdir(spool.place)).toEqual([]);
  },
);

test('addresses outside the public internet are not contacted', async () => {
  let asked = 0;
  const url = await serve((_request, response) => {
    asked += 1;
    response.end('{}');
  });
  await expect(fetched(url, [])).rejects.toMatchObject({ code: 'source_forbidden' });
  expect(asked).toBe(0);
});

test('an aborted job leaves nothing of its source behind', async () => {
  const stop = new AbortController();
  const url = await serve((_request, response) => response.write('x', () => stop.abort()));
  await expect(fetched(url, ['127.0.0.1'], stop.signal)).rejects.toThrow();
  expect(await readdir(spool.place)).toEqual([]);
});
