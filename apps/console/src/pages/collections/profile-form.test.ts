import { expect, test } from 'vitest';
import { filterableOf, isName, modelFor, NEW_PROFILE, profileOf } from './profile-form.ts';

test('fields to filter by are read as they are written, and what is none is told', () => {
  expect(filterableOf(' year:integer, author.name : keyword，seen:boolean ')).toEqual({
    ok: true,
    fields: { year: 'integer', 'author.name': 'keyword', seen: 'boolean' },
  });
  expect(filterableOf('')).toEqual({ ok: true, fields: {} });
  expect(filterableOf('year:integer, price:money')).toEqual({ ok: false, wrong: 'price:money' });
});

test('a profile has what was chosen, and else what the server takes by itself', () => {
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

test('names are as the server takes them', () => {
  expect(['books', 'a_1-b'].every(isName)).toBe(true);
  expect(['', 'Books', '-a', 'a b', 'x'.repeat(64)].some(isName)).toBe(false);
});
