import { expect, test } from 'vitest';
import { filterOf } from './filter.ts';

test('values that fields have become conditions, all of which hold', () => {
  expect(filterOf(undefined)).toBeUndefined();
  expect(filterOf({})).toBeUndefined();
  expect(filterOf({ year: 1851 })).toEqual({ field: 'year', eq: 1851 });
  expect(filterOf({ lang: ['en', 'de'], isNew: true })).toEqual({
    and: [
      { field: 'lang', in: ['en', 'de'] },
      { field: 'isNew', eq: true },
    ],
  });
});

test.each([
  [{ field: 'year', gte: 1850, lt: 1900 }],
  [{ not: { field: 'lang', eq: 'en' } }],
  [
    {
      or: [
        { field: 'lang', eq: 'en' },
        { field: 'year', eq: 1 },
      ],
    },
  ],
])('a condition of embedmill’s own goes on as it is: %j', (filter) => {
  expect(filterOf(filter)).toBe(filter);
});

test('a field that is called as a part of a condition is one all the same', () => {
  expect(filterOf({ field: 'garden' })).toEqual({ field: 'field', eq: 'garden' });
  expect(filterOf({ not: 'this' })).toEqual({ field: 'not', eq: 'this' });
});

test.each([[{ year: { $gte: 1850 } }], [{ year: null }], [{ lang: [] }], ['year > 1850'], [() => true]])(
  'what is neither is refused: %s',
  (filter) => {
    expect(() => filterOf(filter as never)).toThrow(TypeError);
  },
);
