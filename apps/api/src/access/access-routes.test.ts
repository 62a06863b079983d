import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TenantId } from '@embedmill/jobs';
import { startTestApi, type TestApi } from '../testing/test-api.ts';
import { testKeys, type TestKeys } from './test-keys.ts';

let keys: TestKeys;
let api: TestApi;
let admin: { authorization: string };
let acme: { authorization: string };
const oidc = {
  issuer: 'https://id.example.com',
  audience: 'embedmill',
  scopeClaim: 'scope',
  tenantClaim: undefined,
  clientId: 'console',
  scopes: ['openid', 'mill'],
};

beforeAll(async () => {
  keys = await testKeys();
  const add = async (entry: Parameters<TestKeys['add']>[0]) => {
    const { authorization } = await keys.add(entry);
    return { authorization };
  };
  admin = await add({ name: 'root', scopes: ['admin'] });
  acme = await add({ name: 'acme', scopes: ['submit', 'search'], tenant: 'acme' as TenantId });
  await add({ name: 'old', scopes: ['search'], expires: '2020-01-01T00:00:00Z' });
  api = await startTestApi({ config: { access: { ...keys.access, oidc } } });
  api.onClose(() => keys.remove());
});
afterAll(() => api.close());

test('a client without a key learns how to sign in, and nothing secret', async () => {
  expect(await api.json('GET', '/api/v1/sign-in')).toMatchObject({
    status: 200,
    body: {
      required: true,
      keys: true,
      oidc: {
        issuer: 'https://id.example.com',
        audience: 'embedmill',
        clientId: 'console',
        scopes: ['openid', 'mill'],
      },
    },
  });
});

test('a key is told what it may do', async () => {
  const ask = async (headers: { authorization: string }) =>
    (await api.json('GET', '/api/v1/principal', undefined, headers)).body;
  expect(await ask(admin)).toEqual({
    name: 'root',
    everyone: false,
    scopes: ['admin'],
    tenant: null,
    collections: null,
  });
  expect(await ask(acme)).toMatchObject({ name: 'acme', scopes: ['submit', 'search'], tenant: 'acme' });
  expect((await api.json('GET', '/api/v1/principal')).status).toBe(401);
});

test('an admin sees which keys there are, and nobody sees what they are made of', async () => {
  const { body, status } = await api.json('GET', '/api/v1/keys', undefined, admin);
  expect(status).toBe(200);
  const { keys: shown } = body as { keys: { name: string; expired: boolean }[] };
  expect(shown.map(({ name, expired }) => [name, expired])).toEqual([
    ['root', false],
    ['acme', false],
    ['old', true],
  ]);
  expect(JSON.stringify(body)).not.toMatch(/sha256|em_|hash/);
  expect((await api.json('GET', '/api/v1/keys', undefined, acme)).status).toBe(403);
});

test('where no keys are set, nobody has to sign in', async () => {
  const open = await startTestApi();
  try {
    expect((await open.json('GET', '/api/v1/sign-in')).body).toEqual({
      required: false,
      keys: false,
      oidc: null,
    });
    expect((await open.json('GET', '/api/v1/principal')).body).toMatchObject({ everyone: true });
    expect((await open.json('GET', '/api/v1/keys')).body).toEqual({ keys: [] });
  } finally {
    await open.close();
  }
});
