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
  parser = new Parser(ENTRY, { ...GENEROUS, seconds: 0 });
  await expect(parse('# a', 'x.md')).rejects.toMatchObject({
    code: 'parsing_limit',
    message: expect.stringContaining('more than 0 s') as string,
  });
  parser = new Parser(ENTRY, GENEROUS);
  await expect(parse('<div>'.repeat(100_000), 'x.html')).rejects.toMatchObject({
    code: 'parsing_limit',
    message: expect.stringContaining('nests deeper') as string,
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
