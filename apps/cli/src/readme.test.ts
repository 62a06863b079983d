import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');
const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');
const english = read('README.md');
const chinese = read('README.zh-CN.md');

/** What is to be typed or copied: blocks with a language, without what they say beside it. */
const blocksOf = (text: string): string[] =>
  [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(
    ([, language, body = '']) => `${language}\n${body.replaceAll(/ +# .*$/gm, '')}`,
  );
const levelsOf = (text: string): number[] =>
  [...text.replaceAll(/^```.*?^```$/gms, '').matchAll(/^(#+) /gm)].map(([, marks = '']) => marks.length);

test('both READMEs have the same commands', () => {
  expect(blocksOf(english)).toHaveLength(8);
  expect(blocksOf(chinese)).toEqual(blocksOf(english));
});

test('both READMEs have the same headings', () => {
  expect(levelsOf(english).length).toBeGreaterThan(5);
  expect(levelsOf(chinese)).toEqual(levelsOf(english));
});

test('each README names the other, and what they link to is there', () => {
  expect(english).toContain('(README.zh-CN.md)');
  expect(chinese).toContain('(README.md)');
  for (const text of [english, chinese]) {
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = '']) => path);
    expect(links.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  }
});

test('what the Chinese README says of options stands in the English one', () => {
  const said = [...chinese.matchAll(/`[^`\n]*?(--[a-z-]+)/g)].map(([, option = '']) => option);
  expect([...new Set(said)].filter((option) => !english.includes(option) && option !== '--help')).toEqual([]);
});
