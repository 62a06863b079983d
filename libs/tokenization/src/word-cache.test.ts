import { expect, test } from 'vitest';
import { TokenColumns } from './encoding.ts';
import { HASH_START, MAX_WORD_UNITS, WordCache, hashed } from './word-cache.ts';

const hashOf = (word: string) =>
  [...Array(word.length).keys()].reduce((hash, at) => hashed(hash, word.charCodeAt(at)), HASH_START);

/** The inverse modulo 2 ** 32, which undoes the last step of a hash. */
const PRIME_INVERSE = 0x359c449b;

/** One token per unit of the word. */
function remember(cache: WordCache, word: string, count = word.length): void {
  const tokens = new TokenColumns(count);
  for (let n = 0; n < count; n += 1) tokens.push(word.charCodeAt(n), n, n + 1);
  cache.add(word, tokens.slice(0, count));
}

/** Recalls the word at `start` of a longer text, if it is known. */
function recall(cache: WordCache, word: string, start = 3): boolean {
  const tokens = new TokenColumns(1);
  tokens.push(-7, 0, 0);
  const text = `${' '.repeat(start)}${word}!`;
  if (!cache.recall(text, start, start + word.length, hashOf(word), tokens)) {
    expect(tokens.length).toBe(1);
    return false;
  }
  expect(tokens.length).toBe(1 + word.length);
  for (let n = 0; n < word.length; n += 1) {
    expect(tokens.ids[1 + n]).toBe(word.charCodeAt(n));
    expect([...tokens.offsets.slice(2 + 2 * n, 4 + 2 * n)]).toEqual([start + n, start + n + 1]);
  }
  return true;
}

test('a word is known as what it was remembered for, wherever it stands', () => {
  const cache = new WordCache();
  const words = ['mill', 'Mill', 'mills', 'mil', '日本', '\ud83d', '\0', 'x'.repeat(MAX_WORD_UNITS)];
  for (const word of words) {
    expect(recall(cache, word)).toBe(false);
    remember(cache, word);
  }
  for (const word of words) for (const start of [0, 1, 5000]) expect(recall(cache, word, start)).toBe(true);
  expect(recall(cache, 'mi')).toBe(false);
});

test('a word that stands for nothing is known, too', () => {
  const cache = new WordCache();
  remember(cache, '\u200b', 0);
  const tokens = new TokenColumns(0);
  expect(cache.recall('\u200b', 0, 1, hashOf('\u200b'), tokens)).toBe(true);
  expect(tokens.length).toBe(0);
});

test('words or lists of tokens that are too long are not kept', () => {
  const cache = new WordCache();
  const long = 'x'.repeat(MAX_WORD_UNITS + 1);
  remember(cache, long);
  expect(recall(cache, long)).toBe(false);
  remember(cache, 'short', 256);
  expect(recall(cache, 'short')).toBe(false);
});

test('frequent words stay cached, however many others occur once', () => {
  const cache = new WordCache(64);
  const hot = Array.from({ length: 20 }, (_, n) => `hot${n}`);
  for (const word of hot) remember(cache, word);
  for (let n = 0; n < 5_000; n += 1) {
    remember(cache, `${n}`);
    const word = hot[n % hot.length]!;
    expect(recall(cache, word)).toBe(true);
  }
  expect(recall(cache, '0')).toBe(false);
  expect(recall(cache, '4999')).toBe(true);
});

test('a cache holds no more than twice its words, nor long ones without end', () => {
  const known = (cache: WordCache, words: string[]) => words.filter((word) => recall(cache, word)).length;
  const short = Array.from({ length: 1000 }, (_, n) => `${n}`);
  const small = new WordCache(64);
  for (const word of short) remember(small, word);
  expect(known(small, short)).toBeLessThanOrEqual(128);
  const long = Array.from({ length: 1000 }, (_, n) => `${n}`.padStart(60, '0'));
  const narrow = new WordCache(64);
  for (const word of long) remember(narrow, word);
  expect(known(narrow, long)).toBeLessThan(30);
  expect(known(narrow, long)).toBeGreaterThan(0);
});

test('words of the same hash are told apart, and but a few of them are kept', () => {
  const hash = hashOf('abc');
  const before = Math.imul(hash, PRIME_INVERSE);
  const alike: string[] = [];
  for (let first = 0; first < 128; first += 1) {
    for (let second = 0; second <= 0xffff; second += 1) {
      const third = (before ^ hashed(hashed(HASH_START, first), second)) >>> 0;
      if (third <= 0xffff) alike.push(String.fromCharCode(first, second, third));
    }
  }
  expect(alike).toContain('abc');
  expect(alike.map(hashOf)).toEqual(alike.map(() => hash));
  expect(alike.length).toBeGreaterThan(64);
  const cache = new WordCache();
  const known: number[] = [];
  for (const word of alike) {
    expect(recall(cache, word)).toBe(false);
    remember(cache, word);
    known.push(alike.filter((one) => recall(cache, one)).length);
  }
  expect(known.slice(0, 4)).toEqual([1, 2, 3, 4]);
  expect(known.at(-1)).toBeLessThanOrEqual(32);
});

test('a word is not taken for the start of a longer one of the same hash', () => {
  let found = 0;
  for (let first = 0x61; first < 0x7b; first += 1) {
    for (let second = 0x100; second < 0x8000; second += 1) {
      const hash = hashed(hashed(HASH_START, first), second);
      // A unit that does not change the hash.
      const third = (hash ^ Math.imul(hash, PRIME_INVERSE)) >>> 0;
      if (third > 0xffff) continue;
      const [short, long] = [
        [first, second],
        [first, second, third],
      ].map((all) => String.fromCharCode(...all));
      expect(hashOf(long!)).toBe(hashOf(short!));
      for (const [one, other] of [
        [short!, long!],
        [long!, short!],
      ] as const) {
        const cache = new WordCache(64);
        remember(cache, one);
        expect(recall(cache, other)).toBe(false);
      }
      found += 1;
    }
  }
  expect(found).toBeGreaterThan(0);
});
