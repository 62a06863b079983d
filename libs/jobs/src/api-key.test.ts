import { expect, test } from 'vitest';
import { apiKeyHash, apiKeyId, apiKeysSchema, isApiKey, newApiKey } from './api-key.ts';

const entry = (change: object = {}) => {
  const { id, hash } = newApiKey();
  return { name: `key ${id}`, id, hash, scopes: ['search'], ...change };
};

test('a new key has its id in it, 256 bits of chance, and is told from all others by its hash', () => {
  const [one, two] = [newApiKey(), newApiKey()];
  expect(one.key).toMatch(/^em_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/);
  expect(apiKeyId(one.key)).toBe(one.id);
  expect(Buffer.from(one.key.slice(16), 'base64url')).toHaveLength(32);
  expect(isApiKey(one.key, one.hash)).toBe(true);
  expect(isApiKey(one.key, two.hash)).toBe(false);
  expect(isApiKey(`${one.key} `, one.hash)).toBe(false);
  expect(isApiKey(one.key, 'sha256:')).toBe(false);
  expect(one.hash).not.toContain(one.key.slice(16));
});

test.each([
  '',
  'em_',
  'em__',
  'sk-abc',
  `em_${'0'.repeat(12)}_short`,
  `em_${'0'.repeat(12)}_${'é'.repeat(43)}`,
])('%j has no id', (key) => {
  expect(apiKeyId(key)).toBeUndefined();
  expect(isApiKey(key, apiKeyHash('other'))).toBe(false);
});

test('a file of good keys is taken as it is', () => {
  const keys = [
    entry(),
    entry({ tenant: 'acme', scopes: ['submit', 'search'], collections: ['docs'], requestsPerSecond: 5 }),
    entry({ scopes: ['admin'], concurrency: 2, expires: '2030-01-01T00:00:00Z' }),
  ];
  expect(apiKeysSchema.parse(keys)).toEqual(keys);
});

test.each([
  [
    'an admin with a tenant',
    [entry({ scopes: ['admin'], tenant: 'acme' })],
    'an admin key cannot have a tenant',
  ],
  ['a scope that is none', [entry({ scopes: ['all'] })], 'scopes'],
  ['no scope', [entry({ scopes: [] })], 'scopes'],
  ['a key in place of its hash', [entry({ hash: newApiKey().key })], 'sha256'],
  ['a field that is misspelt', [entry({ tennant: 'acme' })], 'tennant'],
  ['a date without a time', [entry({ expires: '2030-01-01' })], 'expires'],
  ['a tenant that no document can have', [entry({ tenant: 'a\ud800' })], 'tenant'],
  ['a name twice', [entry({ name: 'n' }), entry({ name: 'n' })], 'already has the name \\"n\\"'],
])('%s is refused, and said', (_name, keys, says) => {
  const parsed = apiKeysSchema.safeParse(keys);
  expect(JSON.stringify(parsed.error?.issues)).toContain(says);
});
