/** What stands for nothing in a word: soft hyphens, joiners, variation selectors, fillers. */
export const IGNORABLE = /\p{Default_Ignorable_Code_Point}/u;
const IGNORABLES = /\p{Default_Ignorable_Code_Point}/gu;
const MARK = /^\p{M}/u;
/** What a character may begin with, decomposed, that joins the one before it: marks, and Hangul's vowels and ends. */
const JOINING = /^[\p{M}\u1160-\u11ff]/u;

/** A text in NFKC without ignorable characters, and where each of its UTF-16 units comes from. */
export interface NormalizedText {
  readonly text: string;
  /** Of each unit the first unit of the original that it comes from, and one past the last. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** Whether a text is as `normalizedText` would make it. */
export const isNormalized = (text: string): boolean =>
  text.normalize('NFKC') === text && !IGNORABLE.test(text);

/**
 * Normalizes a text cluster by cluster, a cluster being what normalization can join into one or reorder, and so knows
 * of every character the stretch of the original that it stands for: a mark in the middle of a word, or a ligature,
 * belongs to that as a whole.
 */
export function normalizedText(original: string): NormalizedText {
  const clusters = clustersOf(original);
  const texts = clusters.map(({ text }) => text.normalize('NFKC'));
  const text = texts.join('');
  const starts = new Int32Array(text.length);
  const ends = new Int32Array(text.length);
  let at = 0;
  for (const [n, { start, end }] of clusters.entries()) {
    const next = at + (texts[n]?.length ?? 0);
    starts.fill(start, at, next);
    ends.fill(end, at, next);
    at = next;
  }
  return { text, starts, ends };
}

interface Cluster {
  text: string;
  start: number;
  end: number;
}

function clustersOf(original: string): Cluster[] {
  const clusters: Cluster[] = [];
  let last: Cluster | undefined;
  let at = 0;
  for (const character of original) {
    const start = at;
    at += character.length;
    if (IGNORABLE.test(character)) {
      // A variation selector is a mark on its character; a soft hyphen belongs to nothing.
      if (last?.end === start && MARK.test(character)) last.end = at;
      continue;
    }
    if (last !== undefined && JOINING.test(character.normalize('NFKD').replaceAll(IGNORABLES, ''))) {
      last.text += character;
      last.end = at;
      continue;
    }
    last = { text: character, start, end: at };
    clusters.push(last);
  }
  return clusters;
}
