import {
  profileSchema,
  type Collection,
  type CollectionName,
  type DocumentId,
  type Filter,
  type Json,
} from '@embedmill/jobs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { conditionOf, satisfies } from './condition.ts';
import { DEFAULT, documentOf, idsFound, near, unit } from './conformance-documents.ts';
import type { VectorStore } from './store.ts';

/** The results of filters in every store; a part of `conformance`. */
export function filterConformance(
  store: () => VectorStore,
  create: (change: Partial<Collection>) => Promise<CollectionName>,
): void {
  describe('filters', () => {
    let name: CollectionName;
    beforeAll(async () => {
      name = await create({ profile: profileSchema.parse({ filterable: FILTERABLE }) });
      const documents = Object.entries(RECORDS).map(([id, metadata]) => documentOf(name, id, { metadata }));
      await store().replaceDocuments(name, documents);
    });

    test.each<[string, Filter, string]>([
      ['a text', { field: 'tag', eq: 'red' }, 'one several'],
      ['texts', { field: 'tag', in: ['red', 'blue'] }, 'one several two'],
      [
        '1,000 texts',
        { field: 'tag', in: Array.from({ length: 1000 }, (_, i) => `t${i}`).with(700, 'blue') },
        'several two',
      ],
      ['the empty text', { field: 'tag', eq: '' }, 'hostile'],
      ['a hostile text', { field: 'tag', eq: HOSTILE }, 'hostile'],
      ['an integer', { field: 'year', eq: 2020 }, 'one several'],
      ['integers', { field: 'year', in: [1999, -5] }, 'several two'],
      ['an integer that is at most', { field: 'year', lte: -5 }, 'two'],
      ['an integer above a fraction', { field: 'year', gt: 2019.5, lt: 2020.5 }, 'one several'],
      ['an integer from a fraction on', { field: 'year', gte: 2020.5 }, 'edge'],
      ['an integer below a fraction', { field: 'year', lt: -4.5 }, 'two'],
      ['the largest integer', { field: 'year', eq: Number.MAX_SAFE_INTEGER }, 'edge'],
      ['one value between, not two around', { field: 'year', gt: 2000, lt: 2010 }, ''],
      ['a float', { field: 'price', eq: 0.1 }, 'one'],
      ['floats', { field: 'price', in: [1e21, -2.5] }, 'edge several'],
      ['a whole float', { field: 'price', eq: 3 }, 'two'],
      ['a float range', { field: 'price', gte: 0.1, lt: 3 }, 'one'],
      ['true', { field: 'done', eq: true }, 'one several'],
      ['either', { field: 'done', in: [true, false] }, 'one several two'],
      ['an instant in another zone', { field: 'at', eq: '2024-05-01T12:00:00+02:00' }, 'one'],
      ['instants', { field: 'at', in: ['2024-05-01T10:00:00Z', '2030-01-01'] }, 'one several'],
      ['days', { field: 'at', gte: '2024-05-01', lte: '2024-05-02' }, 'one two'],
      ['microseconds', { field: 'at', gt: '2024-05-01T10:00:00Z', lt: '2024-05-02' }, ''],
      ['before 1970', { field: 'at', lt: '1970-01-01' }, 'several'],
      ['a document', { field: 'document_id', eq: 'two' }, 'two'],
      ['documents', { field: 'document_id', in: ['two', 'empty', 'none'] }, 'empty two'],
      ['what is there', { field: 'year', exists: true }, 'edge one several two'],
      ['what is not there', { field: 'tag', missing: true }, 'edge empty missing'],
      ['what does not exist', { field: 'price', exists: false }, 'empty hostile missing'],
      ['what is not missing', { field: 'place', missing: false }, 'edge one two'],
      ['a text that is there', { field: 'about', exists: true }, 'hostile one two'],
      ['a field of an object', { field: 'author.name', eq: 'Ada Lovelace' }, 'one'],
      ['a list in an object', { field: 'author.name', in: ['Adam', 'Eve'] }, 'two'],
      ['a field deep in objects', { field: 'author.born.year', lt: 1900 }, 'one'],
      ['a field of an object that is there', { field: 'author.name', exists: true }, 'one two'],
      ['what a text begins with', { field: 'author.name', prefix: 'Ada' }, 'one two'],
      ['what no text begins with', { field: 'author.name', prefix: 'Lovelace' }, ''],
      ['what a text is, as what it begins with', { field: 'tag', prefix: 'red' }, 'one several'],
      ['a hostile beginning', { field: 'tag', prefix: HOSTILE.slice(0, 12) }, 'hostile'],
      [
        'no such beginning',
        { not: { field: 'author.name', prefix: 'Ad' } },
        'edge empty hostile missing several',
      ],
      [
        'neither such a beginning nor red',
        {
          not: {
            or: [
              { field: 'author.name', prefix: 'Ad' },
              { field: 'tag', eq: 'red' },
            ],
          },
        },
        'edge empty hostile missing',
      ],
      ['not not such a beginning', { not: { not: { field: 'tag', prefix: 'gre' } } }, 'several'],
      ['a word', { field: 'about', text: 'quick' }, 'one two'],
      ['words in any order and case', { field: 'about', text: 'Fox, quick!' }, 'one'],
      ['whole words only', { field: 'about', text: 'fox silver' }, ''],
      ['a word with letters beyond English, and a number', { field: 'about', text: '5 straße' }, 'two'],
      ['not a word', { not: { field: 'about', text: 'brown' } }, 'edge empty hostile missing several two'],
      ['a circle', { field: 'place', geo: { ...BERLIN, radius: 10_000 } }, 'one'],
      ['a larger circle', { field: 'place', geo: { ...BERLIN, radius: 300_000 } }, 'one two'],
      [
        'a circle over the 180th meridian',
        { field: 'place', geo: { lat: -17, lon: -179.9, radius: 200_000 } },
        'two',
      ],
      ['a circle over the pole', { field: 'place', geo: { lat: 89.5, lon: 60, radius: 100_000 } }, 'edge'],
      ['a box', { field: 'place', geo: { north: 53, south: 52, west: 13, east: 14 } }, 'one'],
      [
        'a box over the 180th meridian',
        { field: 'place', geo: { north: 0, south: -20, west: 170, east: -170 } },
        'two',
      ],
      [
        'a box between two places of one',
        { field: 'place', geo: { north: 40, south: 0, west: 20, east: 90 } },
        '',
      ],
      [
        'not in a box',
        { not: { field: 'place', geo: { north: 53, south: 52, west: 13, east: 14 } } },
        'edge empty hostile missing several two',
      ],
      ['no text, or none of it', { not: { field: 'tag', eq: 'red' } }, 'edge empty hostile missing two'],
      ['no integer from', { not: { field: 'year', gte: 2000 } }, 'empty hostile missing two'],
      ['no integer between', { not: { field: 'year', gt: 2000, lt: 2010 } }, ALL],
      [
        'no integer around',
        { not: { field: 'year', gte: 1999, lte: 2030 } },
        'edge empty hostile missing two',
      ],
      ['not true', { not: { field: 'done', eq: true } }, 'edge empty hostile missing two'],
      ['not at an instant', { not: { field: 'at', lt: '2025-01-01' } }, 'edge empty hostile missing'],
      [
        'not the document',
        { not: { field: 'document_id', eq: 'two' } },
        'edge empty hostile missing one several',
      ],
      ['not not', { not: { not: { field: 'done', eq: true } } }, 'one several'],
      [
        'and',
        {
          and: [
            { field: 'tag', eq: 'red' },
            { field: 'price', lt: 0 },
          ],
        },
        'several',
      ],
      [
        'or',
        {
          or: [
            { field: 'tag', eq: 'blue' },
            { field: 'price', gt: 1e20 },
          ],
        },
        'edge several two',
      ],
      [
        'and, or and not in one',
        {
          and: [
            {
              not: {
                or: [
                  { field: 'tag', eq: 'blue' },
                  { field: 'year', lt: 0 },
                ],
              },
            },
            { field: 'at', lt: '2100-01-01' },
          ],
        },
        'one',
      ],
      [
        'not both',
        {
          not: {
            and: [
              { field: 'tag', eq: 'red' },
              { field: 'year', eq: 1999 },
            ],
          },
        },
        'edge empty hostile missing one two',
      ],
    ])('by %s', async (_, filter, expected) => {
      expect((await idsFound(store(), name, filter)).join(' ')).toBe(expected);
    });

    test('a page of what a filter over lists leaves is full', async () => {
      const filter: Filter = { not: { field: 'year', gt: 2000, lt: 2010 } };
      const page = (offset: number) =>
        store().search(name, { vector: near(unit(4, 0)), limit: 3, offset, filter });
      const hits = [...(await page(0)), ...(await page(3)), ...(await page(6))];
      expect(
        hits
          .map((hit) => hit.payload.document_id as string)
          .toSorted()
          .join(' '),
      ).toBe(ALL);
    });

    test.each<[string, Filter]>([
      ['a field that is not filterable', { field: 'colour', eq: 'red' }],
      ['a field of Object', { field: 'constructor', eq: 'red' }],
      ['a text for an integer', { field: 'year', eq: '2020' }],
      ['a fraction for an integer', { field: 'year', in: [2020.5] }],
      ['an integer beyond the safe ones', { field: 'year', eq: 2 ** 60 }],
      ['a number for a text', { field: 'tag', eq: 5 }],
      ['a text for a boolean', { field: 'done', eq: 'true' }],
      ['a date that is none', { field: 'at', eq: 'yesterday' }],
      ['a day that is not in the calendar', { field: 'at', gte: '2024-02-30' }],
      ['a range of texts', { field: 'tag', gte: 'a' }],
      ['a range of booleans', { field: 'done', lt: 1 }],
      ['a text as bound of a number', { field: 'price', lt: '5' }],
      ['what a number begins with', { field: 'year', prefix: '20' }],
      ['words of a keyword', { field: 'tag', text: 'red' }],
      ['a text as a whole', { field: 'about', eq: 'The quick brown fox.' }],
      ['a range of texts with words', { field: 'about', gte: 'a' }],
      ['words that are none', { field: 'about', text: '…!' }],
      ['a place as a text', { field: 'place', prefix: '5' }],
      ['an area of what has no place', { field: 'tag', geo: { ...BERLIN, radius: 1 } }],
      ['whether an unknown field exists', { field: 'author.age', exists: true }],
      ['a wrong one inside others', { not: { or: [{ and: [{ field: 'year', eq: 'x' }] }] } }],
    ])('%s is an invalid filter', async (_, filter) => {
      await expect(idsFound(store(), name, filter)).rejects.toMatchObject({ code: 'invalid_filter' });
    });

    test('any filter finds the records that satisfy it, and no others', async () => {
      const records = Object.entries(RECORDS).map(([id, metadata]) => ({
        document_id: id as DocumentId,
        metadata,
      }));
      await fc.assert(
        fc.asyncProperty(anyFilter, anyTenant, async (filter, tenant) => {
          const condition = conditionOf(filter, FILTERABLE);
          const expected = records
            .filter((record) => satisfies(condition, record))
            .map((one) => one.document_id);
          expect(await idsFound(store(), name, filter, tenant)).toEqual(expected.toSorted());
        }),
        { numRuns: 150 },
      );
    });
  });
}

const HOSTILE = `' or 1=1 -- "\\' ) or (tenant is not null) \n 🦊 '' \\`;

const FILTERABLE = {
  tag: 'keyword',
  year: 'integer',
  price: 'float',
  done: 'boolean',
  at: 'datetime',
  // A keyword of zvec's filter language.
  order: 'keyword',
  about: 'text',
  place: 'geo',
  'author.name': 'keyword',
  'author.born.year': 'integer',
} as const;

const BERLIN = { lat: 52.52, lon: 13.405 };
const HAMBURG = { lat: 53.55, lon: 9.99 };
const FIJI = { lat: -17.8, lon: 179.9 };
const POLE = { lat: 89.9, lon: -120 };

const RECORDS: Record<string, { [key: string]: Json }> = {
  one: {
    tag: 'red',
    year: 2020,
    price: 0.1,
    done: true,
    at: '2024-05-01T10:00:00Z',
    order: 'in',
    about: 'The quick brown fox.',
    place: BERLIN,
    author: { name: 'Ada Lovelace', born: { year: 1815 } },
  },
  two: {
    tag: 'blue',
    year: -5,
    price: 3,
    done: false,
    at: ['2024-05-02', '2024-05-02T00:00:00.000001Z'],
    about: 'QUICK silver-foxes; Straße 5',
    place: [HAMBURG, FIJI],
    author: { name: ['Alan', 'Adam'], born: {} },
  },
  several: {
    tag: ['red', 'blue', 'green'],
    year: [1999, 2020],
    price: [-2.5, 100.25],
    done: [true, false],
    at: ['1969-12-31T23:59:59.999Z', '2030-01-01'],
  },
  hostile: { tag: [HOSTILE, ''], order: 'limit', about: ['…', HOSTILE], author: [{ name: 'Ada' }] },
  edge: { year: Number.MAX_SAFE_INTEGER, price: 1e21, place: POLE, 'author.name': 'Ada' },
  empty: { tag: [], year: [], price: null, done: [], at: null },
  missing: {},
};

const ALL = Object.keys(RECORDS).toSorted().join(' ');

const leaf = fc.oneof(
  fc.record({
    field: fc.constantFrom('tag', 'order'),
    eq: fc.constantFrom('red', 'blue', 'in', 'limit', '', HOSTILE, 'x'),
  }),
  fc.record({
    field: fc.constant('tag'),
    in: fc.uniqueArray(fc.constantFrom('red', 'green', HOSTILE, 'no'), { minLength: 1 }),
  }),
  fc.record({ field: fc.constant('done'), eq: fc.boolean() }),
  fc.record({
    field: fc.constant('document_id'),
    in: fc.uniqueArray(fc.constantFrom(...Object.keys(RECORDS)), { minLength: 1 }),
  }),
  fc.record({
    field: fc.constantFrom('tag', 'year', 'at', 'about', 'place', 'author.name', 'author.born.year'),
    exists: fc.boolean(),
  }),
  fc.record({
    field: fc.constantFrom('tag', 'author.name'),
    prefix: fc.constantFrom('r', 'Ad', 'Ada', 'Alan', 'gree', "' or", 'x'),
  }),
  fc.record({
    field: fc.constant('about'),
    text: fc.constantFrom('quick', 'fox', 'the fox', 'or', 'silver STRASSE', 'Straße', 'none'),
  }),
  fc.record({
    field: fc.constant('place'),
    geo: fc.oneof(
      fc.record({
        lat: fc.constantFrom(-90, -17.8, 0, 52, 53, 90),
        lon: fc.constantFrom(-180, -179, 0, 13, 180),
        radius: fc.constantFrom(1, 50_000, 300_000, 5_000_000, 30_000_000),
      }),
      fc.record({
        north: fc.constantFrom(90, 60, 53),
        south: fc.constantFrom(-90, -20, 52),
        west: fc.constantFrom(-180, 9, 13, 170),
        east: fc.constantFrom(-170, 12, 14, 180),
      }),
    ),
  }),
  comparison('author.born.year', fc.constantFrom(1800, 1815, 1900)),
  comparison('year', fc.constantFrom(-5, -4.5, 0, 1999, 2005, 2019.5, 2020, 2021)),
  comparison('price', fc.constantFrom(-3, -2.5, 0, 0.1, 2.9, 3, 100.25, 1e21, 1e22)),
  comparison(
    'at',
    fc.constantFrom('1969-12-31', '2024-05-01T12:00:00+02:00', '2024-05-02', '2029-12-31T23:59:59Z'),
  ),
);

const anyFilter: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.record({ not: tie('filter') }),
    fc.record({ and: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ or: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
  ),
})).filter;

const anyTenant = fc.option(fc.constant(DEFAULT), { nil: undefined });

function comparison(field: string, bound: fc.Arbitrary<number | string>): fc.Arbitrary<Filter> {
  const bounds = { gte: bound, gt: bound, lte: bound, lt: bound };
  return fc
    .record(bounds, { requiredKeys: [] })
    .filter((range) => Object.keys(range).length > 0)
    .map((range) => ({ field, ...range }));
}
