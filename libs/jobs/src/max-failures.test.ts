import { expect, test } from 'vitest';
import { maxFailuresSchema, tooManyFailures } from './max-failures.ts';

test.each([
  [0, 0, 10, false],
  [0, 1, 10, true],
  [5, 5, 10, false],
  [5, 6, 0, true],
  [0.05, 5, 100, false],
  [0.05, 6, 100, true],
  [0.05, 6, 0, false],
  [undefined, 1e9, 1e9, false],
])('where %j may fail, %i of %i are too many: %j', (most, failed, documents, tooMany) => {
  expect(tooManyFailures(most, { failed, documents }) !== undefined).toBe(tooMany);
});

test.each([
  [3, 3],
  [0.05, 0.05],
  ['5%', 0.05],
  ['0.5%', 0.005],
])('%j is taken', (given, value) => {
  expect(maxFailuresSchema.parse(given)).toBe(value);
});

test.each([-1, 1.5, '5', '100%', 'many', Number.NaN])('%j is refused', (given) => {
  expect(maxFailuresSchema.safeParse(given).success).toBe(false);
});
