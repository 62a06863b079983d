import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { Embedmill, ndjson, runCli, uniqueName } from './embedmill.ts';

/** Keys and tenants through all processes, with the command line as the client. */
let folder: string;
let mill: Embedmill;
const keys: Record<'admin' | 'acme' | 'other' | 'reader', string> = {} as never;
const name = uniqueName('access');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-access-'));
  const file = join(folder, 'keys.json');
  const create = async (...args: string[]) =>
    (await runCli(['keys', 'create', '--file', file, ...args])).stdout.trim();
  keys.admin = await create('--name', 'admin', '--scopes', 'admin');
  for (const tenant of ['acme', 'other'] as const)
    keys[tenant] = await create('--name', tenant, '--scopes', 'submit,search', '--tenant', tenant);
  mill = await Embedmill.up({
    env: { EMBEDMILL_API_KEYS_FILE: file, EMBEDMILL_API_AUDIT_FILE: join(folder, 'audit.ndjson') },
  });
});
afterAll(async () => {
  await cli('admin', 'collections', 'delete', name).catch(() => undefined);
  await mill.stop();
  await rm(folder, { recursive: true, force: true });
});

async function cli(who: keyof typeof keys, ...args: string[]) {
  return runCli([...args, '--json', '--data', mill.data], { env: { EMBEDMILL_KEY: keys[who] } });
}

test('a tenant’s job stores the tenant’s documents, and nobody else finds them', async () => {
  expect((await mill.call('/api/v1/jobs')).status).toBe(401);
  expect((await cli('acme', 'collections', 'create', name)).stdout).toContain('forbidden');
  expect((await cli('admin', 'collections', 'create', name)).code).toBe(0);

  const documents = [
    { id: 'a', text: 'a river in spring' },
    { id: 'b', text: 'bread', tenant: 'other' },
  ];
  const response = await mill.call(`/api/v1/collections/${name}/jobs`, {
    method: 'POST',
    body: ndjson(documents),
    headers: { 'content-type': 'application/x-ndjson', authorization: `Bearer ${keys.acme}` },
  });
  expect(response.status).toBe(202);
  const { id } = (await response.json()) as Job;
  const watched = await cli('acme', 'watch', id);
  expect(watched.code).toBe(3);
  expect(JSON.parse(watched.stdout)).toMatchObject({ stored: 1, failed: 1 });
  expect((await cli('acme', 'failures', id)).stdout).toContain('foreign_tenant');

  expect(JSON.parse((await cli('acme', 'search', name, 'river')).stdout)).toMatchObject({
    hits: [{ id: 'a' }],
  });
  expect(JSON.parse((await cli('other', 'search', name, 'river')).stdout)).toEqual({ hits: [] });
  expect(JSON.parse((await cli('other', 'jobs')).stdout)).toEqual({ jobs: [], next: null });
  expect((await cli('other', 'watch', id)).code).toBe(1);
  expect(JSON.parse((await cli('admin', 'jobs')).stdout)).toMatchObject({
    jobs: [{ job: id, tenant: 'acme' }],
  });

  const audit = await readFile(join(folder, 'audit.ndjson'), 'utf8');
  expect(audit).toContain(`"created":"/api/v1/jobs/${id}"`);
  expect(audit).not.toContain(keys.acme.slice(16));
});

test('a key that the command line creates on the server works at once, is listed, and is refused once revoked', async () => {
  const options = ['--name', 'reader', '--scopes', 'search', '--tenant', 'acme'];
  expect((await cli('acme', 'keys', 'create', ...options, '--on-server')).stdout).toContain('forbidden');
  const made = await cli('admin', 'keys', 'create', ...options, '--on-server');
  const { key, entry } = JSON.parse(made.stdout) as { key: string; entry: { id: string } };
  expect(made.code).toBe(0);
  keys.reader = key;
  expect((await cli('reader', 'search', name, 'river')).code).toBe(0);
  expect((await cli('reader', 'keys', 'list')).stdout).toContain('forbidden');

  const list = async () =>
    (JSON.parse((await cli('admin', 'keys', 'list')).stdout) as { keys: object[] }).keys;
  expect(await list()).toEqual([
    ...['admin', 'acme', 'other'].map((one) => expect.objectContaining({ name: one, keptIn: 'file' })),
    expect.objectContaining({ id: entry.id, name: 'reader', tenant: 'acme', keptIn: 'queue' }),
  ]);
  const again = await cli('admin', 'keys', 'create', ...options, '--on-server');
  expect(again.code).toBe(1);
  expect(again.stdout).toContain('reader');

  expect((await cli('admin', 'keys', 'revoke', 'ffffffffffff')).code).toBe(1);
  expect(JSON.parse((await cli('admin', 'keys', 'revoke', entry.id)).stdout)).toEqual({ revoked: entry.id });
  expect((await cli('reader', 'search', name, 'river')).stdout).toContain('unauthenticated');
  expect(await list()).toHaveLength(3);
});
