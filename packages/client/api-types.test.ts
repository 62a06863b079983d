import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { API_TYPES, apiTypes } from './api-types.ts';

test('the types are those of the API as it is; else run node api-types.ts here', async () => {
  expect(await readFile(API_TYPES, 'utf8')).toBe(await apiTypes());
});
