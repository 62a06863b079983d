import { folded } from './folding.ts';
import { simplifiedHan } from './han-variants.ts';
import { isNormalized, normalizedText } from './normalized-text.ts';
import { STRETCH, stretchKinds } from './stretches.ts';

/** A word of a text: folded, so that words that mean the same are equal, and where it stands (UTF-16 units). */
export interface Word {
  word: string;
  start: number;
  end: number;
}

/** A word of a text with its term, which is undefined for a stop word. */
export interface Term extends Word {
  term: string | undefined;
}

/** Runs of letters, digits and the marks on them: what stands between them is no part of any word. */
const RUN = /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu;
const LETTER = /[\p{L}\p{N}]/u;
/** Scripts that are written without spaces between words. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

const segmenter = new Intl.Segmenter('und', { granularity: 'word' });

/**
 * Calls `found` with each stretch of a text that has words, and whether it is of ASCII letters and digits alone. What
 * stands between them is in no word, so that each can be looked at by itself.
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

/** What a language does to letters beside what Unicode says. */
export interface Spelling {
  turkish: boolean;
  /** Traditional Chinese characters count as simplified ones. */
  simplifies: boolean;
}

/**
 * The words of a stretch: its runs of letters and digits in NFKC, ignorable characters left out, with case folded as
 * `folded` says. Scripts without spaces are cut by Unicode's rules and dictionaries (UAX #29). Words that come from one
 * character, as of "½", share its place.
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
      // Of a run, all are words: 々 is not like one where it stands alone, and is one behind another character.
      if (isWordLike !== true && !LETTER.test(segment)) continue;
      const start = index + at;
      words.push({ word: folded(segment, turkish), start, end: start + segment.length });
    }
  }
  return words;
}
