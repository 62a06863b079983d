import { expect, test } from 'vitest';
import { metadataText } from './metadata-text.ts';

test.each([
  ['a text', 'a text'],
  [1851, '1851'],
  [true, 'true'],
  [null, 'null'],
  [['whales', 2, false], 'whales, 2, false'],
  [[], ''],
  [[{ a: 1 }, 'b'], '[{"a":1},"b"]'],
  [{ a: [1] }, '{"a":[1]}'],
])('%j is read as %s', (value, text) => {
  expect(metadataText(value)).toBe(text);
});
