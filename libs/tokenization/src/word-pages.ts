import { TokenColumns, type PlainEncoding, type TokenSlice } from './encoding.ts';

/** Words are passed to the native tokenizer in pages of about this many characters. */
const PAGE_CHARACTERS = 1024;

/** Groups words into pages, to be joined by spaces. */
export function pagesOf(words: readonly string[]): string[][] {
  const pages: string[][] = [];
  let room = 0;
  for (const word of words) {
    if (room <= 0) {
      pages.push([]);
      room = PAGE_CHARACTERS;
    }
    pages.at(-1)?.push(word);
    room -= word.length + 1;
  }
  return pages;
}

/** Splits the encoding of a page into those of its words. */
export function wordsOfPage(encoding: PlainEncoding, page: readonly string[]): TokenSlice[] {
  const ids = encoding.ids();
  const offsets = encoding.offsets();
  const tokens = new TokenColumns(encoding.length);
  const ends: number[] = [];
  let start = 0;
  for (const { length } of page) {
    const next = start + length + 1;
    for (let n = tokens.length; n < ids.length && (offsets[2 * n] ?? 0) < next; n += 1) {
      tokens.push(ids[n] ?? 0, (offsets[2 * n] ?? 0) - start, (offsets[2 * n + 1] ?? 0) - start);
    }
    ends.push(tokens.length);
    start = next;
  }
  return slices(tokens, ends);
}

/**
 * Processed texts: the tokens of all, the end of each text's tokens, and the indices of words that `read` did not know.
 */
export function readTexts(
  texts: readonly string[],
  read: (text: string, tokens: TokenColumns, unknown: Map<string, number>) => void,
): { tokens: TokenColumns; ends: number[]; unknown: Map<string, number> } {
  const characters = texts.reduce((sum, { length }) => sum + length, 0);
  const tokens = new TokenColumns(16 + (characters >> 1));
  const unknown = new Map<string, number>();
  const ends: number[] = [];
  for (const text of texts) {
    read(text, tokens, unknown);
    ends.push(tokens.length);
  }
  return { tokens, ends, unknown };
}

/** Splits tokens at these ends. */
export function slices(tokens: TokenColumns, ends: readonly number[]): TokenSlice[] {
  let from = 0;
  return ends.map((to) => {
    const slice = tokens.slice(from, to);
    from = to;
    return slice;
  });
}

/** Replaces each placeholder −1 − n by the tokens found for word n. */
export function filled(
  read: TokenColumns,
  readEnds: readonly number[],
  found: readonly TokenSlice[],
): TokenSlice[] {
  const tokens = new TokenColumns(2 * read.length);
  const ends: number[] = [];
  let from = 0;
  for (const to of readEnds) {
    for (let n = from; n < to; n += 1) {
      const id = read.ids[n] ?? 0;
      const start = read.offsets[2 * n] ?? 0;
      const word = id < 0 ? found[-1 - id] : undefined;
      if (word === undefined) tokens.push(id, start, read.offsets[2 * n + 1] ?? 0);
      else tokens.append(word, start);
    }
    ends.push(tokens.length);
    from = to;
  }
  return slices(tokens, ends);
}
