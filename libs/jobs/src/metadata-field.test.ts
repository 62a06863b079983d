import { expect, test } from 'vitest';
import { parseDocument } from './document-parse.ts';
import { metadataAt, withMetadataAt } from './metadata-field.ts';

const METADATA = {
  author: { name: 'Ada', born: { year: 1815 } },
  'author.name': 'flat',
  list: [{ name: 'x' }],
};

test.each([
  ['author.name', 'Ada'],
  ['author.born.year', 1815],
  ['author.born.month', undefined],
  ['author.name.first', undefined],
  ['list.name', undefined],
  ['constructor', undefined],
  ['author.constructor', undefined],
])('at %s stands %j: dots lead into objects', (field, value) => {
  expect(metadataAt(METADATA, field)).toEqual(value);
});

test('a field of an object gets another value, and nothing else does', () => {
  const changed = withMetadataAt(METADATA, 'author.born.year', 1816);
  expect(changed).toEqual({ ...METADATA, author: { name: 'Ada', born: { year: 1816 } } });
  expect(METADATA.author.born.year).toBe(1815);
});

test('fields of objects have their types, too, and are named by their path', () => {
  const filterable = {
    'author.born.year': 'integer',
    'author.id': 'keyword',
    at: 'geo',
    about: 'text',
  } as const;
  const parse = (metadata: object) => parseDocument({ id: 'a', text: 'x', metadata }, { filterable });
  expect(parse({ author: { born: { year: 'long ago' } } })).toMatchObject({
    ok: false,
    error: { code: 'metadata_type', details: [{ path: 'metadata/author/born/year' }] },
  });
  expect(parse({ at: { lat: 91, lon: 0 } })).toMatchObject({ ok: false, error: { code: 'metadata_type' } });
  expect(parse({ about: 5 })).toMatchObject({ ok: false, error: { code: 'metadata_type' } });
  expect(parse({ author: { id: 7 }, at: [{ lat: 1, lon: 2 }], about: 'words' })).toMatchObject({
    ok: true,
    document: { metadata: { author: { id: '7' }, at: [{ lat: 1, lon: 2 }] } },
  });
});
