import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseDocument } from '@embedmill/jobs';

const file = fileURLToPath(new URL('./chinese.ndjson', import.meta.url));
const documents = readFileSync(file, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => {
    const parsed = parseDocument(JSON.parse(line), { filterable: { language: 'keyword' } });
    if (!parsed.ok || 'tombstone' in parsed) throw new Error(`it is no document: ${line}`);
    return parsed.document;
  });

test('every line is a document, in both languages, and every id stands once', () => {
  expect(documents).toHaveLength(40);
  expect(new Set(documents.map(({ id }) => id)).size).toBe(40);
  const isChinese = (text = '') => /\p{Script=Han}/u.test(text);
  for (const { text, metadata } of documents) {
    expect(metadata?.['language'], text).toBe(isChinese(text) ? 'zh' : 'en');
  }
  expect(documents.filter(({ metadata }) => metadata?.['language'] === 'en')).toHaveLength(6);
});
