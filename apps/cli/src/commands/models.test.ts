import { expect, test } from 'vitest';
import { whereFrom } from './models.ts';

test.each([
  [{ bundled: true, local: false, available: true }, 'bundled'],
  [{ bundled: false, local: true, available: true }, 'in the models folder'],
  [{ bundled: false, local: true, available: false }, 'in the models folder, incomplete'],
  [{ bundled: false, local: false, available: true }, 'downloaded'],
  [{ bundled: false, local: false, available: false }, 'downloaded when first used'],
])('a model’s files are where they are: %j', (place, said) => {
  expect(whereFrom(place)).toBe(said);
});
