import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { en } from './en.ts';
import { filled } from './words.ts';
import { zh } from './zh.ts';

const SOURCES = new URL('..', import.meta.url).pathname;

const names = (words: object) => Object.keys(words).sort();
const holes = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();

test('each language has every text, with the same placeholders', () => {
  expect(names(zh)).toEqual(names(en));
  for (const [word, text] of Object.entries(en)) {
    const other = zh[word as keyof typeof zh];
    expect(holes(other), word).toEqual(holes(text));
    expect(other.trim(), word).not.toBe('');
  }
});

test('every text is used somewhere', () => {
  const text = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tsx?$/.test(path) && !path.startsWith('words/') && !/\.test\.tsx?$/.test(path))
    .map((path) => readFileSync(join(SOURCES, path), 'utf8'))
    .join('\n');
  // The code builds keys of families such as `state.running` from a prefix.
  const families = [...text.matchAll(/`([a-zA-Z.]+\.)\$\{/g)].map(([, prefix = '']) => prefix);
  const unsaid = Object.keys(en).filter(
    (word) => !text.includes(`'${word}'`) && !families.some((prefix) => word.startsWith(prefix)),
  );
  expect(unsaid).toEqual([]);
});

test('values replace the placeholders of a text', () => {
  expect(filled('{done} of {all} {what}', { done: '1', all: '2' })).toBe('1 of 2 {what}');
});
