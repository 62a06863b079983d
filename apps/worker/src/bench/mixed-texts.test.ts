import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { mixedTexts } from './mixed-texts.ts';

const WORDNET = fileURLToPath(new URL('../../../cli/demo/wordnet.ndjson', import.meta.url));

test('texts are as long as those of mixed collections, and always the same', async () => {
  const texts = await mixedTexts(WORDNET, 400);
  const lengths = texts.map((text) => text.split(' ').length).sort((a, b) => a - b);
  expect(lengths[0]).toBeLessThan(6);
  expect(lengths[200]).toBeGreaterThan(25);
  expect(lengths[200]).toBeLessThan(35);
  expect(lengths[399]).toBe(200);
  expect(await mixedTexts(WORDNET, 400)).toEqual(texts);
});
