import { isSpace } from './characters.ts';
import type { Piece } from './pieces.ts';

/**
 * The first characters of a piece's tokens in the whole text, in UTF-16 units, never decreasing. `offsets` are those of
 * its encoding; some tokenizers include the space before a word. `floor` is the last start of the previous piece.
 */
export function tokenStarts(piece: Piece, offsets: ArrayLike<number>, floor: number): Int32Array {
  const starts = new Int32Array(offsets.length >> 1);
  for (let n = 0; n < starts.length; n += 1) {
    const start = offsets[2 * n] ?? 0;
    const end = offsets[2 * n + 1] ?? 0;
    let inWord = start;
    while (inWord < end && isSpace(piece.text.charCodeAt(inWord))) inWord += 1;
    floor = Math.max(floor, piece.start + (inWord < end ? inWord : start));
    starts[n] = floor;
  }
  return starts;
}
