/** Ignorable characters in a word: soft hyphens, joiners, variation selectors, fillers. */
export const IGNORABLE = /\p{Default_Ignorable_Code_Point}/u;
const IGNORABLES = /\p{Default_Ignorable_Code_Point}/gu;
const MARK = /^\p{M}/u;
/**
 * The first decomposed character of those that combine with the preceding one: marks, and Hangul's vowels and final
 * consonants.
 */
const JOINING = /^[\p{M}\u1160-\u11ff]/u;

/** A text in NFKC without ignorable characters, with the origin of each UTF-16 unit. */
export interface NormalizedText {
  readonly text: string;
  /** For each unit, the first unit of the original that it comes from, and one past the last. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** Whether `normalizedText` would leave a text unchanged. */
export const isNormalized = (text: string): boolean =>
  text.normalize('NFKC') === text && !IGNORABLE.test(text);

/**
 * Normalizes a text cluster by cluster. A cluster is a range that normalization may combine or reorder. So each
 * character's range in the original is known: a mark within a word, or a ligature, belongs to the whole range.
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
      // A variation selector is a mark on its character; a soft hyphen belongs to no character.
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
