import type { Language } from '@embedmill/jobs';
import type { Term } from './words.ts';

/** Characters of which words may hold others without a space, by language. */
const IN_PAIRS: Partial<Record<Language, RegExp>> = {
  auto: /[\p{Script=Han}\p{Script=Hangul}]/u,
  chinese: /\p{Script=Han}/u,
  japanese: /\p{Script=Han}/u,
  korean: /[\p{Script=Han}\p{Script=Hangul}]/u,
};

export const charactersInPairs = (language: Language): RegExp | undefined => IN_PAIRS[language];

/**
 * The terms of a stretch, and beside them pairs of neighbouring characters: those within a word of three or more, so that a
 * short question finds what stands within a longer word; and those of a word of one character with its neighbours, for a
 * dictionary takes words apart that it does not know (计算机 is 计算 and 机). Stop words are in no pair.
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
    // Of a word that is shorter or longer than the text it stands for, the places of its characters are not known.
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
