import type { Word } from './words.ts';

/** Runs of letters, digits and their marks; nothing in between belongs to a word. */
const RUN = /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu;
/** Scripts that are written without spaces between words. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
/** The characters that `\w` matches, without "_"; a text of only these needs no Unicode tables. */
const ASCII_RUN = /[A-Za-z0-9]+/g;
// eslint-disable-next-line no-control-regex
const ASCII = /^[\u0000-\u007f]*$/;

const segmenter = new Intl.Segmenter('und', { granularity: 'word' });

/**
 * The words of a text by version 1 of the analysis: in lower case, but otherwise as written, so that composed and
 * decomposed "café" are two words. Must not change, because of existing collections.
 */
export function* firstWordsOf(text: string): Generator<Word, undefined> {
  const isAscii = ASCII.test(text);
  for (const { 0: run, index } of text.matchAll(isAscii ? ASCII_RUN : RUN)) {
    if (isAscii || !UNSPACED.test(run)) {
      yield { word: run.toLowerCase(), start: index, end: index + run.length };
      continue;
    }
    for (const { segment, index: at, isWordLike } of segmenter.segment(run)) {
      if (isWordLike !== true) continue;
      const start = index + at;
      yield { word: segment.toLowerCase(), start, end: start + segment.length };
    }
  }
}
