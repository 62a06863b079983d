import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isFinished, type Job } from '@embedmill/jobs';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

/** Jobs whose source is a URL. Here, 127.0.0.1 is the only allowed non-public address. */
let api: TestApi;
let port: number;
const asked: string[] = [];

beforeAll(async () => {
  api = await startTestApi();
  const server = createServer((request, response) => {
    asked.push(request.headers.host ?? '');
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x');
    const to = searchParams.get('to');
    if (pathname === '/endless') {
      const more = setInterval(() => response.write('{"id":"a","text":"x"}\n'), 20);
      return void response.on('close', () => clearInterval(more));
    }
    if (to === null) response.end('{"id":"a","text":"secret"}\n');
    else response.writeHead(302, { location: to }).end();
  }).listen(0);
  await once(server, 'listening');
  api.onClose(async () => server.close());
  ({ port } = server.address() as AddressInfo);
  await api.json('POST', '/api/v1/collections', { name: 'urls' });
  await api.dispatch();
});
afterAll(() => api.close());

async function finished(url: string): Promise<Job> {
  const { body } = await api.json('POST', '/api/v1/collections/urls/jobs', { source: { url } });
  const { id } = body as Job;
  for (const deadline = Date.now() + 90_000; Date.now() < deadline; await setTimeout(20)) {
    const job = (await api.json('GET', `/api/v1/jobs/${id}`)).body as Job;
    if (isFinished(job.state) || job.state === 'running') return job;
  }
  throw new Error(`${url} was not settled`);
}

test('what is allowed is fetched', async () => {
  expect(await finished(`http://127.0.0.1:${port}/`)).toMatchObject({ state: 'running', documents: 1 });
});

test('an endless source is aborted when its job is cancelled, and leaves nothing behind', async () => {
  const url = `http://127.0.0.1:${port}/endless`;
  const { body } = await api.json('POST', '/api/v1/collections/urls/jobs', { source: { url } });
  const { id } = body as Job;
  const job = async () => (await api.json('GET', `/api/v1/jobs/${id}`)).body as Job;
  await expect.poll(async () => (await job()).state, { timeout: 60_000 }).toBe('scanning');
  const spooled = () => readdir(join(api.spoolFolder, id)).catch((): string[] => []);
  await expect.poll(spooled, { timeout: 60_000 }).toHaveLength(1);
  await api.json('POST', `/api/v1/jobs/${id}/cancel`, {});
  await expect.poll(async () => (await job()).state, { timeout: 60_000 }).toBe('cancelled');
  expect((await spooled()).filter((name) => name.startsWith('source'))).toEqual([]);
});

test.each([
  'http://127.0.0.2:PORT/',
  'http://[::1]:PORT/',
  'http://[::ffff:127.0.0.2]:PORT/',
  'http://[64:ff9b::7f00:1]:PORT/',
  'http://[2002:7f00:1::]:PORT/',
  'http://2130706434:PORT/',
  'http://0x7f000002:PORT/',
  'http://0177.0.0.2:PORT/',
  'http://0:PORT/',
  'http://example.com@127.0.0.1:PORT/',
  'http://user:password@127.0.0.1:PORT/',
  'http://127.0.0.2:PORT\\@example.com/',
  'http://127.0.0.2:PORT#@example.com/',
  'http://127.0.0.2:PORT/?@example.com/',
  'http://169.254.169.254/latest/meta-data/iam/',
  'http://[fd00:ec2::254]/latest/meta-data/',
])('%s is refused, and so is a redirect there', async (template) => {
  const url = template.replace('PORT', String(port));
  asked.length = 0;
  const refused = { state: 'failed', error: { code: 'source_forbidden' }, documents: 0 };
  expect(await finished(url)).toMatchObject(refused);
  expect(asked).toEqual([]);
  const redirecting = `http://127.0.0.1:${port}/?to=${encodeURIComponent(url)}`;
  expect(await finished(redirecting)).toMatchObject(refused);
  expect(asked).toEqual([`127.0.0.1:${port}`]);
});

test.each(['file:///etc/passwd', 'ftp://127.0.0.1/', 'gopher://127.0.0.1:6379/_FLUSHALL', 'data:,x'])(
  '%s is no source',
  async (url) => {
    const answer = await api.json('POST', '/api/v1/collections/urls/jobs', { source: { url } });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  },
);
