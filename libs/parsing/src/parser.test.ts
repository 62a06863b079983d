import { afterEach, expect, test } from 'vitest';
import { Parser } from './parser.ts';
import type { ParsingLimits } from './process-messages.ts';

const ENTRY = new URL('./parsing.fixture.ts', import.meta.url);
const GENEROUS: ParsingLimits = { seconds: 60, memoryMB: 1024 };

let parser: Parser;
afterEach(() => parser.close());

const parse = (source: string, name: string) => parser.parse({ bytes: Buffer.from(source), name });

test('files are parsed in one process after another', async () => {
  parser = new Parser(ENTRY, GENEROUS);
  const files = ['# a', '# b'].map((source) => parse(source, 'x.md'));
  expect((await Promise.all(files)).map(({ title }) => title)).toEqual(['a', 'b']);
});

test('a file that takes too long fails by itself, and the next one is read', async () => {
  parser = new Parser(ENTRY, { ...GENEROUS, seconds: 0.01 });
  await expect(parse('# a', 'x.md')).rejects.toMatchObject({
    code: 'parsing_limit',
    message: expect.stringContaining('more than 0.01 s') as string,
  });
  parser = new Parser(ENTRY, GENEROUS);
  await expect(parse('<div>'.repeat(100_000), 'x.html')).rejects.toMatchObject({
    code: 'parsing_limit',
    message: expect.stringContaining('nested') as string,
  });
  expect((await parse('# b', 'x.md')).title).toBe('b');
});

test('a file that takes too much memory fails by itself', async () => {
  parser = new Parser(ENTRY, { ...GENEROUS, memoryMB: 150 });
  await expect(parse('<p>a<i>'.repeat(1_000_000), 'x.html')).rejects.toMatchObject({
    code: 'parsing_limit',
    message: expect.stringContaining('memory') as string,
  });
});

/** A parser whose process exits on files with certain names. */
const ENDING = new URL('./ending.fixture.ts', import.meta.url);

test('a process that ends with a file in hand fails that file alone, and says how it ended', async () => {
  parser = new Parser(ENDING, GENEROUS);
  await expect(parse('# a', 'with.md')).rejects.toMatchObject({
    code: 'document_unreadable',
    message: 'its parser ended while it parsed the file: exit code 3',
  });
  expect((await parse('# b', 'x.md')).title).toBe('b');
});

test('a process that ends after one file fails none of those that wait', async () => {
  parser = new Parser(ENDING, GENEROUS);
  const files = ['# a', '# b', '# c', '# d'].map((source) => parse(source, 'after.md'));
  expect((await Promise.all(files)).map(({ title }) => title)).toEqual(['a', 'b', 'c', 'd']);
});

test('if no process accepts a file, the file is not at fault', async () => {
  parser = new Parser(ENDING, GENEROUS);
  await expect(parse('# a', 'before.md')).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringContaining('does not start: exit code 3') as string,
  });
  expect((await parse('# b', 'x.md')).title).toBe('b');
});
