import { expect, test } from 'vitest';
import { filterOf, operatorsFor, type Condition } from './filter.ts';

const TYPES = { year: 'integer', author: 'keyword', seen: 'boolean', note: 'text', at: 'datetime' } as const;
const filter = (...conditions: Condition[]) => filterOf(conditions, TYPES);

test('one condition is used alone, several are combined', () => {
  expect(filter({ field: 'year', operator: 'from', value: ' 1900 ' })).toEqual({ field: 'year', gte: 1900 });
  expect(
    filter(
      { field: 'author', operator: 'oneOf', value: 'Melville, Woolf' },
      { field: 'seen', operator: 'is', value: 'true' },
    ),
  ).toEqual({
    and: [
      { field: 'author', in: ['Melville', 'Woolf'] },
      { field: 'seen', eq: true },
    ],
  });
});

test('incomplete conditions are left out', () => {
  expect(filter({ field: 'author', operator: 'is', value: '  ' })).toBeUndefined();
  expect(filter({ field: 'author', operator: 'absent', value: '' })).toEqual({
    field: 'author',
    exists: false,
  });
});

test('values get the type of their field; an invalid number is left for the server to refuse', () => {
  expect(filter({ field: 'year', operator: 'is', value: 'soon' })).toEqual({ field: 'year', eq: 'soon' });
  expect(filter({ field: 'author', operator: 'is', value: '1984' })).toEqual({ field: 'author', eq: '1984' });
  expect(filter({ field: 'note', operator: 'words', value: 'a whale' })).toEqual({
    field: 'note',
    text: 'a whale',
  });
  expect(filter({ field: 'at', operator: 'to', value: '2026-01-01' })).toEqual({
    field: 'at',
    lte: '2026-01-01',
  });
  expect(filter({ field: 'document_id', operator: 'prefix', value: 'moby' })).toEqual({
    field: 'document_id',
    prefix: 'moby',
  });
});

test('each type has its own operators', () => {
  for (const type of ['keyword', 'text', 'integer', 'float', 'boolean', 'datetime', 'geo'] as const)
    expect(operatorsFor(type).slice(-2)).toEqual(['present', 'absent']);
});
