import { expect, test } from 'vitest';
import { keyCommand, wantedKey, type NewKey } from './key-command.ts';

const NOW = Date.parse('2026-11-30T12:00:00Z');

test('a key’s command has what was chosen, quoted for a shell', () => {
  const key: NewKey = {
    name: 'shop',
    scopes: ['submit', 'search'],
    tenant: '',
    collections: '',
    expiresIn: '',
  };
  expect(keyCommand(key, NOW)).toBe('embedmill keys create --name shop --scopes submit,search');
  expect(
    keyCommand(
      { name: "Ada's", scopes: ['search'], tenant: 'acme', collections: 'a, b', expiresIn: '30' },
      NOW,
    ),
  ).toBe(
    String.raw`embedmill keys create --name 'Ada'\''s' --scopes search --tenant acme --collections a,b --expires 2026-12-30`,
  );
});

test('empty fields of a new key are left out', () => {
  const key: NewKey = { name: ' shop ', scopes: ['search'], tenant: ' ', collections: '', expiresIn: '' };
  expect(wantedKey(key, NOW)).toEqual({ name: 'shop', scopes: ['search'] });
  expect(wantedKey({ ...key, tenant: 'acme', collections: 'a, b', expiresIn: '30' }, NOW)).toEqual({
    name: 'shop',
    scopes: ['search'],
    tenant: 'acme',
    collections: ['a', 'b'],
    expires: '2026-12-30T12:00:00.000Z',
  });
});
