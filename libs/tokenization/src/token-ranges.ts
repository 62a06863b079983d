import type { TextToken } from '@embedmill/jobs';
import { isSpace } from './characters.ts';
import type { Piece } from './pieces.ts';

/** Of a token that stands for no character of the text: special tokens and prefix. */
export const OUTSIDE = -1;

/**
 * Which characters of the whole text each of a piece's tokens stands for: first and one past the last, one pair after
 * another, in UTF-16 units. White space at a token's start is left out (some tokenizers count the space before a word
 * to the word), so that a token of nothing else has an empty range. `offsets` are those of the piece's encoding.
 * Where the piece starts before the text, with a prefix, the prefix's tokens have `OUTSIDE`.
 */
export function tokenRanges({ text, start }: Piece, offsets: ArrayLike<number>): Int32Array {
  const ranges = new Int32Array(offsets.length);
  for (let n = 0; n < offsets.length; n += 2) {
    const end = offsets[n + 1] ?? 0;
    let first = offsets[n] ?? 0;
    while (first < end && isSpace(text.charCodeAt(first))) first += 1;
    const isOutside = start + first < 0;
    ranges[n] = isOutside ? OUTSIDE : start + first;
    ranges[n + 1] = isOutside ? OUTSIDE : start + end;
  }
  return ranges;
}

/** Tokens of a text with what they stand for and where, in bytes (UTF-8); `ranges` are as `tokenRanges` gives them. */
export function placedTokens(text: string, ids: readonly number[], ranges: readonly number[]): TextToken[] {
  let [at, bytes] = [0, 0];
  // Places grow from token to token, but for the odd one, so that a text is measured once.
  const bytesTo = (place: number): number => {
    if (place < at) [at, bytes] = [0, 0];
    bytes += Buffer.byteLength(text.slice(at, place));
    at = place;
    return bytes;
  };
  return ids.map((id, n) => {
    const [from = 0, to = 0] = ranges.slice(2 * n, 2 * n + 2);
    const start = bytesTo(Math.max(0, from));
    return { id, text: text.slice(from, to), special: false, start, stop: bytesTo(Math.max(0, to)) };
  });
}
