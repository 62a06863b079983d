import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TenantId } from '@embedmill/jobs';
import { connectQueue } from '@embedmill/queue';
import { startTestApi, type TestApi } from '../testing/test-api.ts';
import { ApiKeys } from './api-keys.ts';
import { testKeys, type TestKeys } from './test-keys.ts';

type Headers = { authorization: string };

let keys: TestKeys;
let api: TestApi;
let root: Headers;
let ofBooks: Headers;
let acme: Headers;

beforeAll(async () => {
  keys = await testKeys();
  const add = async (entry: Parameters<TestKeys['add']>[0]): Promise<Headers> => {
    const { authorization } = await keys.add(entry);
    return { authorization };
  };
  root = await add({ name: 'root', scopes: ['admin'] });
  ofBooks = await add({ name: 'librarian', scopes: ['admin'], collections: ['books'] as never });
  acme = await add({ name: 'acme', scopes: ['submit', 'search'], tenant: 'acme' as TenantId });
  api = await startTestApi({ config: { access: keys.access } });
  api.onClose(() => keys.remove());
});
afterAll(() => api.close());

const create = (body: object, by: Headers = root) => api.json('POST', '/api/v1/keys', body, by);
const revoke = (id: string, by: Headers = root) => api.json('DELETE', `/api/v1/keys/${id}`, undefined, by);
const whoIs = (key: string) =>
  api.json('GET', '/api/v1/principal', undefined, { authorization: `Bearer ${key}` });
async function made(body: object, by?: Headers): Promise<{ key: string; entry: { id: string } }> {
  const { status, body: answer } = await create(body, by);
  expect(status).toBe(201);
  return answer;
}

test('a key that an admin makes is shown once, does what it may, and is refused once it is revoked', async () => {
  const wanted = { name: 'reader', scopes: ['search'], tenant: 'acme', collections: ['books'] };
  const answer = await create(wanted);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const { key, entry } = answer.body as { key: string; entry: { id: string } };
  expect(entry).toMatchObject({ ...wanted, expired: false, keptIn: 'queue' });
  expect(key.startsWith(`em_${entry.id}_`)).toBe(true);
  expect((await whoIs(key)).body).toMatchObject({ name: 'reader', scopes: ['search'], tenant: 'acme' });

  const { body } = await api.json('GET', '/api/v1/keys', undefined, root);
  expect(JSON.stringify(body)).not.toMatch(/sha256|em_|hash/);
  expect(JSON.stringify(body)).toContain(entry.id);
  expect(await api.parts.queue.apiKeys.read()).toMatchObject([{ id: entry.id }]);
  expect(JSON.stringify(await api.parts.queue.apiKeys.read())).not.toContain(key.slice(16));
  expect(api.logged.join('')).not.toContain(key.slice(16));

  expect((await revoke(entry.id)).status).toBe(204);
  expect((await whoIs(key)).status).toBe(401);
  expect((await revoke(entry.id)).status).toBe(404);
});

test('every replica accepts a key created by another, and refuses it once one revoked it', async () => {
  const queue = await connectQueue({ redisUrl: api.redisUrl });
  const replica = new ApiKeys(undefined, queue.apiKeys, api.parts.log, 20);
  try {
    const { key, entry } = await made({ name: 'shared', scopes: ['submit'] });
    await expect.poll(() => replica.principalOf(key)?.name).toBe('shared');
    await replica.revoke(entry.id, { ...replica.principalOf(key)!, scopes: new Set(['admin']) });
    await expect.poll(async () => (await whoIs(key)).status, { timeout: 10_000 }).toBe(401);
  } finally {
    replica.close();
    await queue.close();
  }
});

test('concurrently created keys are all kept', async () => {
  const names = Array.from({ length: 8 }, (_, n) => `at once ${n}`);
  const all = await Promise.all(names.map((name) => made({ name, scopes: ['search'] })));
  const { body } = await api.json('GET', '/api/v1/keys', undefined, root);
  const ids = (body as { keys: { id: string }[] }).keys.map(({ id }) => id);
  expect(ids).toEqual(expect.arrayContaining(all.map(({ entry }) => entry.id)));
  for (const { entry } of all) await revoke(entry.id);
});

test('only an admin makes, lists or revokes keys', async () => {
  const { key, entry } = await made({ name: 'victim', scopes: ['search'] });
  for (const by of [acme, { authorization: `Bearer ${key}` }]) {
    expect((await create({ name: 'mine', scopes: ['admin'] }, by)).status).toBe(403);
    expect((await api.json('GET', '/api/v1/keys', undefined, by)).status).toBe(403);
    expect((await revoke(entry.id, by)).status).toBe(403);
  }
  expect((await create({ name: 'mine', scopes: ['admin'] }, { authorization: 'Bearer em_x' })).status).toBe(
    401,
  );
  expect((await whoIs(key)).status).toBe(200);
  await revoke(entry.id);
});

test('an admin who is bound to collections makes and revokes keys of those alone', async () => {
  const { entry } = await made({ name: 'everywhere', scopes: ['search'] });
  for (const collections of [undefined, ['films'], ['books', 'films']]) {
    const refused = await create({ name: 'more', scopes: ['search'], collections }, ofBooks);
    expect(refused).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  }
  expect((await revoke(entry.id, ofBooks)).status).toBe(403);
  const own = await made({ name: 'of books', scopes: ['search'], collections: ['books'] }, ofBooks);
  expect((await revoke(own.entry.id, ofBooks)).status).toBe(204);
  await revoke(entry.id);
});

test('keys of the file are left alone, and no name comes twice', async () => {
  const { body } = await api.json('GET', '/api/v1/keys', undefined, root);
  const inFile = (body as { keys: { id: string; name: string; keptIn: string }[] }).keys[0];
  expect(inFile).toMatchObject({ name: 'root', keptIn: 'file' });
  expect(await revoke(inFile?.id ?? '')).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  expect(await create({ name: 'root', scopes: ['search'] })).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', errors: [{ path: 'name' }] },
  });
});

test.each([
  [{ name: 'x', scopes: [] }],
  [{ name: 'x', scopes: ['root'] }],
  [{ name: '', scopes: ['search'] }],
  [{ name: 'x', scopes: ['admin'], tenant: 'acme' }],
  [{ name: 'x', scopes: ['search'], expires: 'soon' }],
  [{ name: 'x', scopes: ['search'], hash: `sha256:${'0'.repeat(64)}` }],
  [{ name: 'x', scopes: ['search'], id: '0'.repeat(12) }],
])('%j makes no key', async (body) => {
  expect(await create(body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
});

test('if no keys are required, none can be created', async () => {
  const open = await startTestApi();
  try {
    expect(await open.json('POST', '/api/v1/keys', { name: 'x', scopes: ['search'] })).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining('EMBEDMILL_API_KEYS_FILE') },
    });
  } finally {
    await open.close();
  }
});
