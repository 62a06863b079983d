import type { Language } from '@embedmill/jobs';
import type { Term } from './words.ts';

/** Characters that are written without spaces, so that words may contain other words, by language. */
const IN_PAIRS: Partial<Record<Language, RegExp>> = {
  auto: /[\p{Script=Han}\p{Script=Hangul}]/u,
  chinese: /\p{Script=Han}/u,
  japanese: /\p{Script=Han}/u,
  korean: /[\p{Script=Han}\p{Script=Hangul}]/u,
};

export const charactersInPairs = (language: Language): RegExp | undefined => IN_PAIRS[language];

/**
 * The terms of a stretch, and additional pairs of neighbouring characters: pairs within a word of three or more
 * characters, so that a short query finds part of a longer word; and pairs of a one-character word with its neighbours,
 * because a dictionary splits words that it does not know (计算机 becomes 计算 and 机). Stop words form no pairs.
 */
export function withPairs(words: readonly Term[], inPairs: RegExp): Term[] {
  const terms: Term[] = [];
  let last: { word: Term; characters: string[] } | undefined;
  for (const word of words) {
    const characters = word.term === undefined ? [] : [...word.word];
    const [first = ''] = characters;
    if (last?.word.end === word.start && (last.characters.length === 1 || characters.length === 1)) {
      const before = last.characters.at(-1) ?? '';
      if (inPairs.test(before) && inPairs.test(first)) {
        terms.push(pair(before + first, word.start - before.length));
      }
    }
    terms.push(word);
    // If a word's length differs from that of its text, the positions of its characters are unknown.
    const isInPlace = word.word.length === word.end - word.start;
    if (characters.length > 2 && isInPlace) terms.push(...pairsWithin(characters, word.start, inPairs));
    last = isInPlace && characters.length > 0 ? { word, characters } : undefined;
  }
  return terms;
}

function pairsWithin(characters: readonly string[], start: number, inPairs: RegExp): Term[] {
  const pairs: Term[] = [];
  let at = start;
  for (const [n, first] of characters.entries()) {
    const second = characters[n + 1] ?? '';
    if (inPairs.test(first) && inPairs.test(second)) pairs.push(pair(first + second, at));
    at += first.length;
  }
  return pairs;
}

const pair = (text: string, start: number): Term => ({
  word: text,
  term: text,
  start,
  end: start + text.length,
});
