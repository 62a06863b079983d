import { folded } from './folding.ts';
import { simplifiedHan } from './han-variants.ts';
import { isNormalized, normalizedText } from './normalized-text.ts';
import { STRETCH, stretchKinds } from './stretches.ts';

/** A word of a text: folded, so that equivalent words are equal, and its position (UTF-16 units). */
export interface Word {
  word: string;
  start: number;
  end: number;
}

/** A word of a text with its term, which is undefined for a stop word. */
export interface Term extends Word {
  term: string | undefined;
}

/** Runs of letters, digits and their marks; nothing in between belongs to a word. */
const RUN = /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu;
const LETTER = /[\p{L}\p{N}]/u;
/** Scripts that are written without spaces between words. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

const segmenter = new Intl.Segmenter('und', { granularity: 'word' });

/**
 * Calls `found` with each stretch of a text that has words, and with whether it has only ASCII letters and digits.
 * Nothing in between belongs to a word, so each stretch can be analysed separately.
 */
export function eachStretch(
  text: string,
  found: (start: number, end: number, isAscii: boolean) => void,
): void {
  const { length } = text;
  let start = -1;
  let isAscii = true;
  for (let at = 0; at < length; at += 1) {
    const kind = stretchKinds.of(text.charCodeAt(at));
    if (kind === STRETCH.ascii || kind === STRETCH.inside) {
      if (start === -1) {
        start = at;
        isAscii = true;
      }
      if (kind === STRETCH.inside) isAscii = false;
      continue;
    }
    if (start !== -1) found(start, at, isAscii);
    start = -1;
    if (kind === STRETCH.alone) found(at, at + 1, false);
  }
  if (start !== -1) found(start, length, isAscii);
}

/** A language's letter rules in addition to Unicode's. */
export interface Spelling {
  turkish: boolean;
  /** Traditional Chinese characters count as simplified ones. */
  simplifies: boolean;
}

/**
 * The words of a stretch: its runs of letters and digits in NFKC, without ignorable characters, and case-folded by
 * `folded`. Scripts without spaces are segmented by Unicode's rules and dictionaries (UAX #29). Words that come from
 * one character, like those of "½", share its position.
 */
export function wordsOfStretch(stretch: string, spelling: Spelling): Word[] {
  if (isNormalized(stretch)) return wordsOfNormalized(stretch, spelling);
  const { text, starts, ends } = normalizedText(stretch);
  return wordsOfNormalized(text, spelling).map(({ word, start, end }) => ({
    word,
    start: starts[start] ?? 0,
    end: ends[end - 1] ?? 0,
  }));
}

function wordsOfNormalized(normalized: string, { turkish, simplifies }: Spelling): Word[] {
  const text = simplifies ? simplifiedHan(normalized) : normalized;
  const words: Word[] = [];
  for (const { 0: run, index } of text.matchAll(RUN)) {
    if (!UNSPACED.test(run)) {
      words.push({ word: folded(run, turkish), start: index, end: index + run.length });
      continue;
    }
    for (const { segment, index: at, isWordLike } of segmenter.segment(run)) {
      // Every segment of a run is a word: 々 is not word-like on its own, but is part of a word after another character.
      if (isWordLike !== true && !LETTER.test(segment)) continue;
      const start = index + at;
      words.push({ word: folded(segment, turkish), start, end: start + segment.length });
    }
  }
  return words;
}
