import { expect, test } from 'vitest';
import { filterableOf, isName, modelFor, NEW_PROFILE, profileOf } from './profile-form.ts';

test('filterable fields are parsed, and the first malformed one is reported', () => {
  expect(filterableOf(' year:integer, author.name : keyword，seen:boolean ')).toEqual({
    ok: true,
    fields: { year: 'integer', 'author.name': 'keyword', seen: 'boolean' },
  });
  expect(filterableOf('')).toEqual({ ok: true, fields: {} });
  expect(filterableOf('year:integer, price:money')).toEqual({ ok: false, wrong: 'price:money' });
});

test('a profile has only what was chosen, and leaves the rest to the serverâs defaults', () => {
  expect(profileOf({ ...NEW_PROFILE, name: 'books' }, {})).toEqual({
    model: 'all-MiniLM-L6-v2',
    sparse: { bm25: { language: 'english' } },
    filterable: {},
  });
  const form = {
    ...NEW_PROFILE,
    language: 'chinese',
    model: modelFor('chinese'),
    chunkSize: '48',
    lateInteraction: true,
  } as const;
  expect(profileOf(form, { year: 'integer' })).toEqual({
    model: 'multilingual-e5-small-int8',
    sparse: { bm25: { language: 'chinese' } },
    lateInteraction: {},
    chunking: { mode: 'tokens', size: 48, overlap: 24 },
    filterable: { year: 'integer' },
  });
});

test('names are checked by the serverâs rules', () => {
  expect(['books', 'a_1-b'].every(isName)).toBe(true);
  expect(['', 'Books', '-a', 'a b', 'x'.repeat(64)].some(isName)).toBe(false);
});
