import { collectionSchema, type Collection, type Filter } from '@embedmill/jobs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { conditionOf } from '../condition.ts';
import { columnsOf, digest } from './columns.ts';
import { filterExpression } from './filter-expression.ts';

const collection: Collection = collectionSchema.parse({
  name: 'c',
  dims: 4,
  createdAt: '2026-01-01T00:00:00Z',
  profile: {
    filterable: { at: 'datetime', done: 'boolean', price: 'float', tag: 'keyword', year: 'integer' },
  },
});

function expressionOf(filter: Filter): { text: string; exact: boolean } {
  return filterExpression(conditionOf(filter, collection.profile.filterable), columnsOf(collection));
}

/** Columns and digests as words, so that expressions can be read. */
function readable(text: string): string {
  return ['at', 'done', 'price', 'tag', 'year']
    .reduce((read, field, i) => read.replaceAll(`f${i}`, field), text)
    .replaceAll(`'${digest('red')}'`, 'RED')
    .replaceAll(`'${digest('a')}'`, 'A');
}

describe('filter expressions', () => {
  test.each<[Filter, string, boolean]>([
    [{ field: 'tag', eq: 'red' }, '(tag contain_any (RED))', true],
    [{ field: 'document_id', eq: 'a' }, '(document_id contain_any (A))', true],
    [{ field: 'year', in: [1, -2] }, '(year contain_any (1,-2))', true],
    [{ field: 'done', eq: false }, '(done contain_any (false))', true],
    [{ field: 'price', gte: 1.5 }, '(price_greatest >= 1.5)', true],
    [{ field: 'price', lt: 1e-7 }, '(price_least < 1e-7)', true],
    [{ field: 'at', gt: '1970-01-01T00:00:01Z' }, '(at_greatest > 1000000)', true],
    [{ field: 'year', gte: 1, lte: 5 }, '(year_greatest >= 1 and year_least <= 5)', false],
    [{ not: { field: 'tag', eq: 'red' } }, '((tag not contain_any (RED)) or tag is null)', true],
    [{ not: { field: 'year', gt: 1 } }, '(year_greatest <= 1 or year_least is null)', true],
    [
      { not: { field: 'year', gt: 1, lt: 5 } },
      '(year_greatest <= 1 or year_least >= 5 or year_least is null or year_several = 1)',
      false,
    ],
    [
      {
        not: {
          and: [
            { field: 'done', eq: true },
            {
              or: [
                { field: 'tag', eq: 'red' },
                { field: 'year', gt: 1 },
              ],
            },
          ],
        },
      },
      '(((done not contain_any (true)) or done is null) or (((tag not contain_any (RED)) or tag is null) and (year_greatest <= 1 or year_least is null)))',
      true,
    ],
  ])('%j', (filter, text, exact) => {
    const expression = expressionOf(filter);
    expect(readable(expression.text)).toBe(text);
    expect(expression.exact).toBe(exact);
  });

  test('more values than zvec takes in a list are cut into several lists', () => {
    const lists = expressionOf({ field: 'year', in: Array.from({ length: 70 }, (_, i) => i) }).text.match(
      /\(\d[\d,]*\)/g,
    );
    expect(lists?.map((list) => list.split(',').length)).toEqual([32, 32, 6]);
  });

  test('no text of a value gets into the expression: its structure is the same for all', () => {
    const structure = (value: string) => {
      const filter: Filter = {
        and: [{ field: 'tag', in: [value, 'other'] }, { not: { field: 'document_id', eq: value } }],
      };
      return expressionOf(filter).text.replaceAll(/'[A-Za-z0-9_-]{22}'/g, 'TEXT');
    };
    const expected = structure('x');
    expect(expected).not.toContain("'");
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({
        unit: fc.constantFrom("'", '"', '\\', ')', '(', ' or ', '%', '\n', '\0', ' ', '--', '\ud800'),
      }),
    );
    fc.assert(
      fc.property(hostile, (value) => {
        expect(structure(value)).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });

  test('numbers are written so that they mean the same number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const [, literal] = /\((\S+)\)\)$/.exec(expressionOf({ field: 'price', eq: value }).text) ?? [];
        expect(Number(literal)).toBe(value + 0);
        expect(literal).toMatch(/^-?\d+(\.\d+)?(e[+-]?\d+)?$/);
      }),
    );
  });
});
