import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TenantId } from '@embedmill/jobs';
import { spooledFiles } from '../testing/spooled-files.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';
import { testKeys, type TestKeys } from './test-keys.ts';

const WAIT = { timeout: 60_000 };
let folder: string;
let file: string;
let keys: TestKeys;
let api: TestApi | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-audit-'));
  file = join(folder, 'audit.ndjson');
  keys = await testKeys();
});
afterEach(async () => {
  await api?.close();
  await keys.remove();
  await rm(folder, { recursive: true, force: true });
});

async function lines(): Promise<Record<string, unknown>[]> {
  const text = await readFile(file, 'utf8');
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('what is changed and what is denied is written down, with who it was; what is only read is not', async () => {
  const admin = await keys.add({ name: 'root', scopes: ['admin'] });
  const acme = await keys.add({ name: 'acme', scopes: ['submit', 'search'], tenant: 'acme' as TenantId });
  api = await startTestApi({ config: { access: { ...keys.access, auditFile: file } } });
  const as = (key: string, method: string, path: string, body?: unknown) =>
    api!.json(method, path, body, { authorization: `Bearer ${key}` });
  await as(admin.key, 'POST', '/api/v1/collections', { name: 'docs' });
  const { body: job } = await as(acme.key, 'POST', '/api/v1/collections/docs/jobs', {
    documents: [{ id: 'a', text: 'x' }],
  });
  await as(acme.key, 'GET', '/api/v1/jobs');
  await as(acme.key, 'DELETE', '/api/v1/collections/docs/documents/a%0A%22%7D%1b');
  await as(acme.key, 'DELETE', '/api/v1/collections/docs');
  await as(`${acme.key.slice(0, -1)}_`, 'GET', '/api/v1/jobs');
  await as(admin.key, 'DELETE', '/api/v1/collections/none');
  await expect.poll(lines, WAIT).toHaveLength(6);
  const collections = '/api/v1/collections';
  expect(await lines()).toMatchObject([
    {
      principal: 'root',
      tenant: null,
      action: `POST ${collections}`,
      outcome: 'done',
      created: `${collections}/docs`,
      status: 201,
      address: '127.0.0.1',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
    },
    {
      principal: 'acme',
      tenant: 'acme',
      action: `POST ${collections}/:name/jobs`,
      target: { name: 'docs' },
      created: `/api/v1/jobs/${(job as { id: string }).id}`,
      status: 202,
    },
    { principal: 'acme', target: { name: 'docs', id: 'a\n"}\u001b' }, status: 204 },
    { principal: 'acme', action: `DELETE ${collections}/:name`, outcome: 'denied', status: 403 },
    { principal: null, action: 'GET /api/v1/jobs', outcome: 'denied', status: 401 },
    { principal: 'root', outcome: 'refused', status: 404 },
  ]);
  const inLog = api.logged.filter((line) => (JSON.parse(line) as { msg: string }).msg === 'audit');
  expect(inLog).toHaveLength(6);
  for (const text of [await readFile(file, 'utf8'), ...api.logged]) {
    expect(text).not.toContain(admin.key.slice(16));
    expect(text).not.toContain(acme.key.slice(16, -1));
  }
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('a change whose client goes before the answer is written down all the same', async () => {
  api = await startTestApi({ config: { access: { ...keys.access, keysFile: undefined, auditFile: file } } });
  await api.json('POST', '/api/v1/collections', { name: 'docs' });
  const leave = new AbortController();
  async function* stuck() {
    yield Buffer.from('{"id":"a","text":"x"}\n');
    await new Promise(() => undefined);
  }
  const upload = api.call('/api/v1/collections/docs/jobs', {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    signal: leave.signal,
    body: ReadableStream.from(stuck()),
    duplex: 'half',
  } as RequestInit);
  upload.catch(() => undefined);
  const { spoolFolder } = api;
  const isReceiving = async () => (await spooledFiles(spoolFolder)).some((name) => name.endsWith('.partial'));
  await expect.poll(isReceiving, WAIT).toBe(true);
  leave.abort();
  await expect(upload).rejects.toThrow('abort');
  await expect
    .poll(async () => (await lines())[1], WAIT)
    .toMatchObject({
      principal: 'everyone',
      action: 'POST /api/v1/collections/:name/jobs',
      outcome: 'broken off',
    });
});

test('a file that cannot be written keeps the server from starting', async () => {
  const access = { ...keys.access, auditFile: join(folder, 'none', 'audit.ndjson') };
  await expect(startTestApi({ config: { access } })).rejects.toMatchObject({
    code: 'invalid_config',
    message: expect.stringContaining('EMBEDMILL_API_AUDIT_FILE'),
  });
});
