import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pointId, uuidV5, type CollectionName, type DocumentId, type TenantId } from './ids.ts';

test('version 5 UUIDs are those of RFC 9562', () => {
  const dns = Buffer.from('6ba7b8109dad11d180b400c04fd430c8', 'hex');
  expect(uuidV5('www.example.com', dns)).toBe('2ed6657d-e927-568b-95e1-2665a8aea6a2');
});

test('a point id never changes between releases', () => {
  const id = pointId('default' as TenantId, 'books' as CollectionName, 'moby-dick' as DocumentId, 3);
  expect(id).toBe('25a8b1cf-eb7b-535d-b81d-609048931b1e');
});

test('different parts give different point ids, however the parts are cut', () => {
  const part = fc.string({ minLength: 1, maxLength: 3 });
  const parts = fc.tuple(part, part, part, fc.nat(3));
  const idOf = ([tenant, collection, document, chunk]: [string, string, string, number]) =>
    pointId(tenant as TenantId, collection as CollectionName, document as DocumentId, chunk);
  fc.assert(
    fc.property(parts, parts, (a, b) => {
      expect(idOf(a) === idOf(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
    }),
  );
});
