import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { Hit } from '@embedmill/jobs';
import { hitLines } from './hits.ts';
import { Terminal } from './terminal.ts';

const terminal = new Terminal(new PassThrough(), new PassThrough(), { json: false, noColor: true });
const hit = (more: Partial<Hit>): Hit => ({
  id: 'a',
  score: 0.5,
  text: 'some text',
  title: null,
  metadata: {},
  chunk: { index: 0, count: 1, start: 0, end: 9 },
  ...more,
});

test('a hit is a line: score, id, title, and as much of the text as fits', () => {
  const lines = hitLines(
    [hit({}), hit({ id: 'longer', title: 'Title', text: 'x'.repeat(99) })],
    terminal,
    40,
  );
  expect(lines[0]).toBe('0.500  a       some text');
  expect(lines[1]).toMatch(/^0\.500 {2}longer {2}Title {2}x+…$/);
  expect(lines[1]).toHaveLength(40);
});

test('highlights stand in brackets, from a little before the first', () => {
  const text = `${'word '.repeat(30)}a fox jumps over foxes`;
  const at = text.indexOf('fox');
  const highlights = [
    { start: 1000 + at, end: 1000 + at + 3 },
    { start: 1000 + text.indexOf('foxes'), end: 1000 + text.length },
  ];
  const chunk = { index: 3, count: 9, start: 1000, end: 1000 + text.length };
  const [line] = hitLines([hit({ text, chunk, highlights })], terminal, 200);
  expect(line).toMatch(/ … (word )+a \[fox\] jumps over \[foxes\]$/);
});

test('an explanation is a line a scheme, below its hit', () => {
  const share = { query: 1, document: 1 };
  const explanation: Hit['explanation'] = [
    { scheme: 'bm25', term: 'fox', share: 0.75, ...share },
    { scheme: 'bm25', term: 'brown', share: 0.25, ...share },
    { scheme: 'splade', term: 'animal', share: 1, ...share },
  ];
  const lines = hitLines([hit({ explanation })], terminal, 80);
  expect(lines.slice(1).map((line) => line.trim())).toEqual([
    'bm25: fox 75 %, brown 25 %',
    'splade: animal 100 %',
  ]);
});
