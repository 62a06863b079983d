import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutChunks as cutOneByOne } from './cut.ts';
import { maxCharacters, type CutLimits } from './cutting.ts';

const cutChunks = (...given: Parameters<typeof cutOneByOne>) => [...cutOneByOne(...given)];

/** A minimal fake tokenizer: one token per run of up to `most` letters, and per other non-space character. */
function tokensOf(text: string, most = 4): Int32Array {
  const starts: number[] = [];
  for (const match of text.matchAll(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu)) {
    for (let at = 0; at < match[0].length; at += most) starts.push(match.index + at);
  }
  return Int32Array.from(starts);
}

const alphabet = fc.constantFrom(
  ...[
    'a',
    'Bc',
    'word',
    'internationalization',
    ' ',
    '  ',
    '\n',
    '\n\n',
    '. ',
    '! ',
    '? ',
    ', ',
    '。',
    '日',
    '本語',
  ],
  ...['😀', '👩‍👧', 'e\u0301', '\u200b', '\u0001', '\ufeff', '\u2029', '\u3000', '-', '0', '3.14', 'ü', 'ไทย'],
);
const texts = fc.array(alphabet, { maxLength: 120 }).map((parts) => parts.join(''));
const limits: fc.Arbitrary<CutLimits> = fc.record({
  capacity: fc.integer({ min: 1, max: 24 }),
  overlap: fc.nat(30),
  boundary: fc.constantFrom('content' as const, 'paragraph' as const, 'sentence' as const, 'word' as const),
});

test('whatever the text and the limits, nothing is lost, nothing is too long, and it goes forward', () => {
  fc.assert(
    fc.property(texts, limits, (text, given) => {
      const starts = tokensOf(text);
      const cuts = cutChunks(text, starts, given);
      expect(cuts.length).toBeGreaterThan(0);
      const covered = new Uint8Array(text.length);
      let before = { from: -1, to: starts.length > 0 ? 0 : -1 };
      for (const cut of cuts) {
        expect(cut.to - cut.from).toBeLessThanOrEqual(given.capacity);
        expect(cut.from).toBeGreaterThan(before.from);
        expect(cut.to).toBeGreaterThan(before.to);
        expect(cut.from).toBeLessThanOrEqual(Math.max(before.to, 0));
        if (before.from >= 0) expect(before.to - cut.from).toBeLessThanOrEqual(given.overlap);
        covered.fill(1, cut.start, cut.end);
        expect(text.slice(cut.start, cut.end).isWellFormed()).toBe(true);
        before = cut;
      }
      expect(before.to).toBe(starts.length);
      for (const { 0: character, index } of text.matchAll(/\S/g)) {
        expect(covered[index], `${JSON.stringify(character)} at ${index}`).toBe(1);
      }
    }),
    { numRuns: 2000 },
  );
});

test('a word is cut only when it alone is longer than a chunk', () => {
  const words = fc.array(fc.constantFrom('a', 'seven77', 'elevenlett11', 'sentence.', 'x'), {
    minLength: 1,
    maxLength: 80,
  });
  const spaces = fc.constantFrom(' ', '\n', '\n\n');
  fc.assert(
    fc.property(words, spaces, limits, (list, space, given) => {
      fc.pre(given.capacity >= 3);
      const text = list.join(space);
      for (const { start, end } of cutChunks(text, tokensOf(text), given)) {
        expect(start === 0 || /\s/.test(text[start - 1] ?? '')).toBe(true);
        expect(end === text.length || /\s/.test(text[end] ?? '')).toBe(true);
      }
    }),
    { numRuns: 1000 },
  );
});

const chunksOf = (text: string, given: CutLimits) =>
  cutChunks(text, tokensOf(text), given).map(({ start, end }) => text.slice(start, end));

test('a chunk ends at a sentence where one ends in its second half', () => {
  const text = 'One two. Three four five six. Seven eight nine.';
  expect(chunksOf(text, { capacity: 12, overlap: 0, boundary: 'sentence' })).toEqual([
    'One two. Three four five six.',
    'Seven eight nine.',
  ]);
  expect(chunksOf(text, { capacity: 12, overlap: 0, boundary: 'word' })).toEqual([
    'One two. Three four five six. Seven',
    'eight nine.',
  ]);
});

test('a paragraph is kept whole before a sentence is', () => {
  const text = 'One two three.\n\nFour five. Six seven eight.';
  const given = { capacity: 9, overlap: 0 };
  expect(chunksOf(text, { ...given, boundary: 'paragraph' })[0]).toBe('One two three.');
  expect(chunksOf(text, { ...given, boundary: 'sentence' })[0]).toBe('One two three.\n\nFour five.');
});

test('a wrapped line is no end of a sentence, but better than the middle of a line', () => {
  const wrapped = 'One two three\nfour five six seven. Eight nine';
  expect(chunksOf(wrapped, { capacity: 10, overlap: 0, boundary: 'sentence' })[0]).toBe(
    'One two three\nfour five six seven.',
  );
  const list = 'aa bb cc\ndd ee ff\ngg hh ii';
  expect(chunksOf(list, { capacity: 7, overlap: 0, boundary: 'sentence' })[0]).toBe('aa bb cc\ndd ee ff');
});

test('overlap repeats the end of the chunk before, from a word on', () => {
  const text = 'aa bb cc dd ee ff gg hh';
  expect(chunksOf(text, { capacity: 4, overlap: 2, boundary: 'word' })).toEqual([
    'aa bb cc dd',
    'cc dd ee ff',
    'ee ff gg hh',
  ]);
});

test('text without spaces is cut between characters of scripts that use none', () => {
  const text = '日本語の文章。'.repeat(4);
  const chunks = cutChunks(text, tokensOf(text, 1), { capacity: 5, overlap: 0, boundary: 'word' });
  expect(chunks.length).toBeGreaterThan(4);
  expect(chunks.map(({ start, end }) => text.slice(start, end)).join('')).toBe(text);
});

test('tokens that stand for one character together are not parted', () => {
  const text = '😀😀😀';
  const starts = Int32Array.from([0, 0, 0, 2, 2, 2, 4, 4, 4]);
  const cuts = cutChunks(text, starts, { capacity: 5, overlap: 0, boundary: 'word' });
  expect(cuts.map(({ start, end }) => text.slice(start, end))).toEqual(['😀', '😀', '😀']);
});

test('a chunk of few tokens does not cover a text without end', () => {
  const blob = `${'x'.repeat(5000)} `.repeat(40);
  const starts = Int32Array.from({ length: 40 }, (_, n) => n * 5001);
  const cuts = cutChunks(blob, starts, { capacity: 200, overlap: 0, boundary: 'sentence' });
  expect(Math.max(...cuts.map(({ start, end }) => end - start))).toBeLessThanOrEqual(maxCharacters(200));
  expect(cuts.length).toBeGreaterThan(20);
});
