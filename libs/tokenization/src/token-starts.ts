import { isSpace } from './characters.ts';
import type { Piece } from './pieces.ts';

/**
 * First characters of a piece's tokens in the whole text, in UTF-16 units, never decreasing. The tokenizer counts
 * code points, and some count the space before a word to the word. `floor` is the last start of the piece before.
 */
export function tokenStarts(piece: Piece, offsets: [number, number][], floor: number): Int32Array {
  const units = /[\ud800-\udbff]/.test(piece.text) ? unitOfCodePoint(piece.text) : undefined;
  const starts = new Int32Array(offsets.length);
  for (let n = 0; n < offsets.length; n += 1) {
    const [first, last] = offsets[n] ?? [0, 0];
    const start = units?.[first] ?? first;
    const end = units?.[last] ?? last;
    let inWord = start;
    while (inWord < end && isSpace(piece.text.charCodeAt(inWord))) inWord += 1;
    floor = Math.max(floor, piece.start + (inWord < end ? inWord : start));
    starts[n] = floor;
  }
  return starts;
}

/** Index in UTF-16 units of each code point, and of the text's end. */
function unitOfCodePoint(text: string): Int32Array {
  const units = new Int32Array(text.length + 1);
  let point = 0;
  for (let unit = 0; unit < text.length; point += 1) {
    units[point] = unit;
    unit += (text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1;
  }
  units[point] = text.length;
  return units;
}
