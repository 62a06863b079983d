import { expect, test } from 'vitest';
import { piecesOf } from './marked-text.ts';

const shown = (...args: Parameters<typeof piecesOf>) =>
  piecesOf(...args)
    .map(({ text, marked }) => (marked ? `[${text}]` : text))
    .join('');

test('highlights are marked within the chunk', () => {
  expect(
    shown(
      'a whale and a captain',
      [
        { start: 102, end: 107 },
        { start: 114, end: 121 },
      ],
      100,
    ),
  ).toBe('a [whale] and a [captain]');
  expect(shown('捕鲸船', [{ start: 0, end: 2 }], 0)).toBe('[捕鲸]船');
});

test('overlapping highlights, and highlights outside the chunk, are handled', () => {
  const text = 'abcdef';
  const highlights = [
    { start: 2, end: 4 },
    { start: 1, end: 3 },
    { start: -5, end: 0 },
    { start: 5, end: 99 },
  ];
  expect(shown(text, highlights, 0)).toBe('a[bc][d]e[f]');
  expect(shown(text, [], 0)).toBe('abcdef');
});
