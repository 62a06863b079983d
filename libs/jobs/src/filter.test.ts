import { expect, test } from 'vitest';
import { filterSchema } from './filter.ts';

test.each([
  [{ field: 'a', eq: 'x' }],
  [{ field: 'a', in: [1, 2] }],
  [{ field: 'a', gte: 1, lt: 2 }],
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
  [{ and: [] }],
  [{ and: [{ field: 'a', eq: 1 }], or: [{ field: 'a', eq: 1 }] }],
  [{ not: { fild: 'a', eq: 1 } }],
])('%j is none', (filter) => {
  expect(filterSchema.safeParse(filter).success).toBe(false);
});
