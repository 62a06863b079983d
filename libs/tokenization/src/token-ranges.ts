import type { TextToken } from '@embedmill/jobs';
import { isSpace } from './characters.ts';
import type { Piece } from './pieces.ts';

/** The range of a token that represents no character of the text: special tokens and the prefix. */
export const OUTSIDE = -1;

/**
 * The characters of the whole text that each of a piece's tokens represents: first and one past the last, as
 * consecutive pairs, in UTF-16 units. Leading white space is excluded (some tokenizers include the space before a
 * word), so a token of only white space has an empty range. `offsets` are those of the piece's encoding. If the piece
 * starts before the text, with a prefix, the prefix's tokens have `OUTSIDE`.
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

/** The tokens of a text with their text and position in bytes (UTF-8); `ranges` are from `tokenRanges`. */
export function placedTokens(text: string, ids: readonly number[], ranges: readonly number[]): TextToken[] {
  let [at, bytes] = [0, 0];
  // Positions nearly always increase from token to token, so the text is measured only once.
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
