import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDocument } from './document-parse.ts';
import type { TenantId } from './ids.ts';
import type { Profile } from './profile.ts';

const filterable: Profile['filterable'] = {
  pos: 'keyword',
  year: 'integer',
  price: 'float',
  sold: 'boolean',
  added: 'datetime',
};
const parse = (value: unknown) => parseDocument(value, { filterable });
const codeOf = (value: unknown) => {
  const parsed = parse(value);
  return parsed.ok ? 'ok' : parsed.error.code;
};

test('a document comes out as it went in, with its defaults', () => {
  const parsed = parse({ id: 7, text: 'seven', metadata: { pos: 'noun', free: { nested: [1, null] } } });
  expect(parsed).toEqual({
    ok: true,
    document: {
      id: '7',
      text: 'seven',
      image: undefined,
      title: undefined,
      metadata: { pos: 'noun', free: { nested: [1, null] } },
      tenant: 'default',
    },
  });
});

test('an image is enough, and is kept as it is beside a text', () => {
  const alone = parse({ id: 'a', image: 'cats/1.png' });
  expect(alone).toMatchObject({ ok: true, document: { text: '', image: 'cats/1.png' } });
  const both = parse({ id: 'a', text: 'a cat', image: 'https://example.org/cat.png' });
  expect(both).toMatchObject({
    ok: true,
    document: { text: 'a cat', image: 'https://example.org/cat.png' },
  });
  expect(codeOf({ id: 'a', text: ' ', image: 'data:image/png;base64,AAAA' })).toBe('ok');
});

test.each([
  ['a string', 'text', 'malformed_json'],
  ['null', null, 'malformed_json'],
  ['an array', [{ id: 'a' }], 'malformed_json'],
  ['no id', { text: 'x' }, 'missing_id'],
  ['an empty id', { id: '', text: 'x' }, 'missing_id'],
  ['an id that is an object', { id: {}, text: 'x' }, 'invalid_document'],
  ['an id that is too long', { id: 'x'.repeat(513), text: 'x' }, 'invalid_document'],
  ['no text', { id: 'a' }, 'missing_text'],
  ['a text of null', { id: 'a', text: null }, 'missing_text'],
  ['a text that is a number', { id: 'a', text: 5 }, 'invalid_document'],
  ['an empty text', { id: 'a', text: '' }, 'empty_text'],
  ['a text of white space', { id: 'a', text: ' \n\u00a0\t' }, 'empty_text'],
  ['no text, and an image of null', { id: 'a', image: null }, 'missing_text'],
  ['an empty image', { id: 'a', image: '' }, 'invalid_document'],
  ['an image that is no string', { id: 'a', text: 'x', image: {} }, 'invalid_document'],
  ['an image by another scheme', { id: 'a', image: 'file:///etc/passwd' }, 'invalid_document'],
  ['a data URI without data', { id: 'a', image: 'data:image/png;base64' }, 'invalid_document'],
  ['a NUL in the image’s path', { id: 'a', image: 'x\u0000.png' }, 'invalid_unicode'],
  ['a NUL', { id: 'a', text: 'x\u0000y' }, 'invalid_unicode'],
  ['a lone surrogate', { id: 'a', text: 'x\ud800y' }, 'invalid_unicode'],
  ['a lone surrogate in the id', { id: '\udc00', text: 'x' }, 'invalid_unicode'],
  ['a field of its own', { id: 'a', text: 'x', body: 'y' }, 'invalid_document'],
  ['metadata that is a list', { id: 'a', text: 'x', metadata: [1] }, 'invalid_document'],
  ['a keyword that is a fraction', { id: 'a', text: 'x', metadata: { pos: 5.5 } }, 'metadata_type'],
  ['an integer that is none', { id: 'a', text: 'x', metadata: { year: 1.5 } }, 'metadata_type'],
  ['a float that is a string', { id: 'a', text: 'x', metadata: { price: '9' } }, 'metadata_type'],
  ['a boolean that is a string', { id: 'a', text: 'x', metadata: { sold: 'yes' } }, 'metadata_type'],
  ['a datetime that is none', { id: 'a', text: 'x', metadata: { added: 'tomorrow' } }, 'metadata_type'],
  [
    'a datetime without seconds',
    { id: 'a', text: 'x', metadata: { added: '2026-11-23T10:00' } },
    'metadata_type',
  ],
  [
    'a lone surrogate in metadata',
    { id: 'a', text: 'x', metadata: { deep: [{ s: '\ud800' }] } },
    'invalid_unicode',
  ],
  ['a lone surrogate in a key', { id: 'a', text: 'x', metadata: { '\ud800': 1 } }, 'invalid_unicode'],
  ['a list with one wrong entry', { id: 'a', text: 'x', metadata: { pos: ['a', true] } }, 'metadata_type'],
])('%s is refused with its code', (_name, value, code) => {
  expect(codeOf(value)).toBe(code);
});

test.each([
  ['dates', { added: '2026-11-23' }],
  ['times with an offset', { added: '2026-11-23T10:00:00+02:00' }],
  ['lists of the declared type', { pos: ['noun', 'verb'] }],
  ['null for nothing', { year: null }],
])('%s are taken', (_name, metadata) => {
  expect(codeOf({ id: 'a', text: 'x', metadata })).toBe('ok');
});

test('__proto__ is refused at any depth, and nothing is polluted', () => {
  for (const json of [
    '{"id":"a","text":"x","__proto__":{"polluted":1}}',
    '{"id":"a","text":"x","metadata":{"deep":[{"__proto__":{"polluted":1}}]}}',
    '{"id":"a","text":"x","metadata":{"\\u005f_proto__":{"polluted":1}}}',
  ]) {
    expect(codeOf(JSON.parse(json))).toBe('forbidden_key');
  }
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('where a job is bound to a tenant, documents get it, and another tenant’s are refused', () => {
  const bound = 'acme' as TenantId;
  const tenantOf = (value: object) => {
    const parsed = parseDocument({ id: 'a', text: 'x', ...value }, { filterable }, { tenant: bound });
    if (!parsed.ok) return parsed.error.code;
    return 'tombstone' in parsed ? parsed.tombstone.tenant : parsed.document.tenant;
  };
  for (const value of [{ deleted: true, text: '' }, { deleted: false }]) {
    expect(tenantOf(value)).toBe('acme');
    expect(tenantOf({ ...value, tenant: 'other' })).toBe('foreign_tenant');
  }
  expect(tenantOf({})).toBe('acme');
  expect(tenantOf({ tenant: 'acme' })).toBe('acme');
  for (const tenant of ['default', 'Acme', 'acme ', 'other'])
    expect(tenantOf({ tenant })).toBe('foreign_tenant');
});

test.each([
  ['a space for the T', '2024-01-01 00:00:00'],
  ['a fraction', '2024-01-01 00:00:00.123456'],
  ['a zone', '2024-01-01 00:00:00+02:00'],
  ['a zone and a fraction', '2024-01-01T00:00:00.5-05:30'],
])('a datetime with %s is taken as filters take it, and kept as it is', (_name, added) => {
  expect(parse({ id: 'a', text: 'x', metadata: { added } })).toMatchObject({
    document: { metadata: { added } },
  });
});

test('the zone of a PostgreSQL dump is kept in the form that stores read', () => {
  expect(parse({ id: 'a', text: 'x', metadata: { added: '2024-01-01 00:00:00.5+02' } })).toMatchObject({
    document: { metadata: { added: '2024-01-01 00:00:00.5+02:00' } },
  });
});

test('keywords may be integers, and booleans t, f, 1 and 0, also in lists', () => {
  const metadata = { pos: [7, 'noun'], sold: 't', free: 't' };
  expect(parse({ id: 'a', text: 'x', metadata })).toMatchObject({
    document: { metadata: { pos: ['7', 'noun'], sold: true, free: 't' } },
  });
  for (const [sold, is] of [
    ...(['t', 'T', 'true', 'TRUE', '1', 1] as const).map((one) => [one, true] as const),
    ...(['f', 'F', 'false', 'False', '0', 0] as const).map((one) => [one, false] as const),
  ]) {
    expect(parse({ id: 'a', text: 'x', metadata: { sold } })).toMatchObject({
      document: { metadata: { sold: is } },
    });
  }
  for (const sold of ['yes', '', ' t', 2, -1])
    expect(codeOf({ id: 'a', text: 'x', metadata: { sold } })).toBe('metadata_type');
});

test('null is absent in every field, and stays in metadata', () => {
  const nulls = { title: null, image: null, video: null, metadata: null, tenant: null };
  expect(parse({ id: 'a', text: 'x', ...nulls })).toEqual(parse({ id: 'a', text: 'x' }));
  expect(codeOf({ id: null, text: 'x' })).toBe('missing_id');
  expect(parse({ id: 'a', text: 'x', metadata: { free: null } })).toMatchObject({
    document: { metadata: { free: null } },
  });
});

test('what the API prints of a document and of its only point is that document again', () => {
  const document = { id: 'a', text: 'x', title: null, metadata: { pos: 'noun' } };
  const printed = { ...document, tenant: 'default', image: null, video: null };
  const chunk = { index: 0, start: 0, end: 1, text: 'x', terms: {} };
  const wanted = parse(document);
  expect(parse({ ...printed, chunks: [chunk] })).toEqual(wanted);
  expect(parse({ ...printed, point: 'p', chunk: 0, chunks: 1, dense: 'AAAA' })).toEqual(wanted);
  const part = parse({ ...printed, point: 'p', chunk: 0, chunks: 2, dense: 'AAAA' });
  expect(part).toMatchObject({
    ok: false,
    error: { code: 'invalid_document', message: expect.stringMatching(/one of 2 chunks/) },
  });
});

test('metadata is bounded, in bytes of UTF-8 as JSON has them', () => {
  const bytes = (metadata: object) => Buffer.byteLength(JSON.stringify(metadata));
  const parseWithin = (metadata: object, metadataBytes: number) => {
    const parsed = parseDocument({ id: 'a', text: 'x', metadata }, { filterable }, undefined, {
      metadataBytes,
    });
    return parsed.ok ? 'ok' : parsed.error.code;
  };
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), (metadata) => {
      if (codeOf({ id: 'a', text: 'x', metadata }) !== 'ok') return;
      expect(parseWithin(metadata, bytes(metadata))).toBe('ok');
      expect(parseWithin(metadata, bytes(metadata) - 1)).toBe('metadata_too_large');
    }),
  );
  expect(codeOf({ id: 'a', text: 'x', metadata: { note: 'x'.repeat(65_500) } })).toBe('ok');
  expect(codeOf({ id: 'a', text: 'x', metadata: { note: 'x'.repeat(65_600) } })).toBe('metadata_too_large');
});

test('metadata of a million empty lists is refused after a look at some of them', () => {
  let looks = 0;
  const lists = new Proxy(
    Array.from({ length: 1_500_000 }, () => []),
    {
      get: (all, key) => {
        looks += 1;
        return Reflect.get(all, key) as unknown;
      },
    },
  );
  expect(codeOf({ id: 'a', text: 'x', metadata: { lists } })).toBe('metadata_too_large');
  expect(looks).toBeLessThan(100_000);
});

test('nesting without end is refused, not followed', () => {
  const deep = JSON.parse(
    `{"id":"a","text":"x","metadata":{"d":${'['.repeat(50_000)}${']'.repeat(50_000)}}}`,
  );
  expect(codeOf(deep)).toBe('invalid_document');
});

test('whatever the value, parsing gives a document or an error of the catalogue, and never throws', () => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.record(
      {
        id: fc.jsonValue(),
        text: fc.jsonValue(),
        image: fc.oneof(fc.jsonValue(), fc.webUrl()),
        title: fc.jsonValue(),
        metadata: fc.jsonValue(),
      },
      { requiredKeys: [] },
    ),
  );
  fc.assert(
    fc.property(value, (given) => {
      const parsed = parse(given);
      if (!parsed.ok) expect(parsed.error.message).not.toBe('');
      else if ('tombstone' in parsed) expect(parsed.tombstone.id).not.toBe('');
      else expect(parsed.document.image ?? parsed.document.text.trim()).not.toBe('');
    }),
    { numRuns: 2000 },
  );
});

test('a line that says it is deleted is a tombstone, and has nothing beside its id and tenant', () => {
  const tombstone = { deleted: true, id: '7', tenant: 'acme' };
  expect(parse({ id: 7, deleted: true, tenant: 'acme', text: null })).toEqual({ ok: true, tombstone });
  // As a table's row has it.
  expect(parse({ id: '7', text: '', deleted: true, tenant: 'acme' })).toEqual({ ok: true, tombstone });
  for (const deleted of [false, null, undefined]) {
    expect(parse({ id: '7', text: 'x', deleted })).toMatchObject({ ok: true, document: { text: 'x' } });
    expect(parse({ id: '7', deleted })).toMatchObject({ ok: false, error: { code: 'missing_text' } });
  }
  const beside = parse({ id: '7', deleted: true, text: 'x', title: 'y' });
  expect(beside).toMatchObject({ ok: false, id: '7', error: { code: 'invalid_document' } });
  expect(beside).toHaveProperty('error.message', expect.stringContaining('text, title'));
  expect(parse({ id: '7', deleted: 'yes' })).toMatchObject({
    ok: false,
    error: { code: 'invalid_document', details: [{ path: 'deleted' }] },
  });
  expect(parse({ deleted: true })).toMatchObject({ ok: false, error: { code: 'missing_id' } });
});

test('only lines that embedmill wrote say at which sequence they delete', () => {
  const line = { id: '7', deleted: true, sequence: 41 };
  expect(parse(line)).toMatchObject({ ok: false, error: { code: 'invalid_document' } });
  const sequenced = (value: object) => parseDocument(value, { filterable: {} }, { sequenced: true });
  expect(sequenced(line)).toMatchObject({ ok: true, tombstone: { id: '7', sequence: 41 } });
  expect(sequenced({ id: '7', deleted: true })).toEqual({
    ok: true,
    tombstone: { deleted: true, id: '7', tenant: 'default' },
  });
  expect(sequenced({ id: '7', text: 'x', sequence: 41 })).toMatchObject({ ok: false });
});
