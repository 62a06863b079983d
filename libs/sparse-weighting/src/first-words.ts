import type { Word } from './words.ts';

/** Runs of letters, digits and the marks on them: what stands between them is no part of any word. */
const RUN = /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu;
/** Scripts that are written without spaces between words. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
/** What `\w` matches of ASCII, without "_": a text of it alone needs no Unicode tables. */
const ASCII_RUN = /[A-Za-z0-9]+/g;
// eslint-disable-next-line no-control-regex
const ASCII = /^[\u0000-\u007f]*$/;

const segmenter = new Intl.Segmenter('und', { granularity: 'word' });

/**
 * The words of a text as collections have them whose analysis is of version 1: in lower case, and else as they were
 * written, so that "café" composed and decomposed are two words. Kept as it was, for what is stored.
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
