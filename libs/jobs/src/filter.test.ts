import fc from 'fast-check';
import { expect, test } from 'vitest';
import { filterSchema, type Filter } from './filter.ts';

test.each([
  [{ field: 'a', eq: 'x' }],
  [{ field: 'a', in: [1, 2] }],
  [{ field: 'a', gte: 1, lt: 2 }],
  [{ field: 'a.b', exists: false }],
  [{ field: 'a', missing: true }],
  [{ field: 'a', prefix: 'x/' }],
  [{ field: 'a', text: 'two words' }],
  [{ field: 'a', geo: { lat: 52.5, lon: 13.4, radius: 1000 } }],
  [{ field: 'a', geo: { north: 1, south: 0, west: 170, east: -170 } }],
  [{ and: [{ field: 'a', eq: true }, { not: { or: [{ field: 'b', gt: '2026-01-01' }] } }] }],
])('%j is a filter', (filter) => {
  expect(filterSchema.parse(filter)).toEqual(filter);
});

test.each([
  [{}],
  ['a'],
  [{ field: 'a' }],
  [{ field: 'a', eq: {} }],
  [{ field: 'a', eq: 1, in: [1] }],
  [{ field: 'a', eq: 1, gte: 1 }],
  [{ field: 'a', in: [] }],
  [{ field: 'a', exists: true, missing: true }],
  [{ field: 'a', prefix: '' }],
  [{ field: 'a', prefix: 'x', eq: 'x' }],
  [{ field: 'a', text: 5 }],
  [{ field: 'a', geo: { lat: 91, lon: 0, radius: 1 } }],
  [{ field: 'a', geo: { lat: 0, lon: 0, radius: 0 } }],
  [{ field: 'a', geo: { north: 0, south: 1, west: 0, east: 1 } }],
  [{ field: 'a', geo: { lat: 0, lon: 0, radius: 1, north: 1 } }],
  [{ and: [] }],
  [{ and: [{ field: 'a', eq: 1 }], or: [{ field: 'a', eq: 1 }] }],
  [{ not: { fild: 'a', eq: 1 } }],
])('%j is none', (filter) => {
  expect(filterSchema.safeParse(filter).success).toBe(false);
});

const LEAF = { field: 'a', eq: 1 };
const nested = (levels: number, wrap: (inner: object) => object): object =>
  Array.from({ length: levels }).reduce<object>((inner) => wrap(inner), LEAF);

test.each([
  ['and', (inner: object) => ({ and: [inner] })],
  ['or', (inner: object) => ({ or: [LEAF, inner] })],
  ['not', (not: object) => ({ not })],
])('%s may nest 16 levels, and is refused in time beyond', (_name, wrap) => {
  expect(filterSchema.safeParse(nested(16, wrap)).success).toBe(true);
  for (const levels of [17, 1000, 100_000]) {
    const parsed = filterSchema.safeParse(nested(levels, wrap));
    expect(parsed.error?.issues).toMatchObject([
      { path: [], message: expect.stringMatching(/deeper than 16/) },
    ]);
  }
});

test('a filter that is too wide is refused', () => {
  const wide = (parts: number, leaf: object) => ({
    and: Array.from({ length: 64 }, () => ({ or: Array.from({ length: parts }, () => leaf) })),
  });
  expect(filterSchema.safeParse(wide(8, LEAF)).success).toBe(true);
  expect(filterSchema.safeParse(wide(9, LEAF)).error?.message).toMatch(/more than 512 conditions/);
  const words = { field: 'a', text: 'word '.repeat(300) };
  expect(filterSchema.safeParse({ or: [words, words] }).error?.message).toMatch(/more than 512 conditions/);
  const list = { field: 'a', in: Array.from({ length: 1000 }, (_, n) => n) };
  expect(filterSchema.safeParse({ or: [list, list] }).success).toBe(true);
  expect(filterSchema.safeParse({ or: Array.from({ length: 11 }, () => list) }).error?.message).toMatch(
    /more than 10000 values/,
  );
});

const scalar = fc.oneof(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean());
const field = fc.string({ minLength: 1 });
const condition: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({ field, eq: scalar }),
  fc.record({ field, in: fc.array(scalar, { minLength: 1, maxLength: 5 }) }),
  fc.record({ field, gte: fc.double({ noNaN: true, noDefaultInfinity: true }) }),
);
const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 6 },
    condition,
    fc.record({ and: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ or: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie('filter') }),
  ),
}));

test('every filter is read as what it is', () => {
  fc.assert(
    fc.property(filter, (given) => {
      expect(filterSchema.parse(given)).toEqual(given);
    }),
    { numRuns: 1000 },
  );
});

/** Almost filters: valid keys with arbitrary values, and keys that every object inherits. */
const key = fc.constantFrom(
  ...['and', 'or', 'not', 'field', 'eq', 'in', 'gte', 'lt', '__proto__', 'constructor', 'toString', 'x'],
);
const { broken } = fc.letrec((tie) => ({
  broken: fc.oneof(
    { maxDepth: 8 },
    fc.jsonValue(),
    fc.array(tie('broken'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('broken')), { maxLength: 3 }).map((entries) => Object.fromEntries(entries)),
  ),
}));

test('anything else is refused with a reason, and never thrown at', () => {
  fc.assert(
    fc.property(broken, (given) => {
      const parsed = filterSchema.safeParse(given);
      if (parsed.success) expect(parsed.data).toEqual(given);
      else expect(parsed.error.issues[0]?.message).toBeTruthy();
      expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    }),
    { numRuns: 5000 },
  );
});
