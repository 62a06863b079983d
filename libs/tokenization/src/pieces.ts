import { GAP, gapBefore, isLowSurrogate, isSpace } from './characters.ts';

/** A stretch of a text that is encoded by itself. */
export interface Piece {
  text: string;
  /** Where it starts in the whole text, in UTF-16 units. */
  start: number;
}

/** A piece of English has some 7,000 tokens: a few ms to encode, and as many to read back. */
export const PIECE_CHARACTERS = 32_768;

/**
 * Cuts a text into pieces so that a long one is encoded on all cores, in bounded memory, without blocking the
 * event loop. A cut stands before white space, where the pieces' tokens are those of the whole text; where there
 * is none for 32,768 characters, at the end of a word, and where there is none of that either, anywhere.
 */
export function piecesOf(text: string, limit = PIECE_CHARACTERS): Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  while (text.length - start > limit) {
    const end = cutBefore(text, start, start + limit);
    pieces.push({ text: text.slice(start, end), start });
    start = end;
  }
  pieces.push({ text: text.slice(start), start });
  return pieces;
}

/** The best place to cut, in (start, limit]. */
function cutBefore(text: string, start: number, limit: number): number {
  for (let at = limit; at > start; at -= 1) {
    if (isSpace(text.charCodeAt(at)) && !isSpace(text.charCodeAt(at - 1))) return at;
  }
  for (let at = limit; at > start; at -= 1) {
    if (gapBefore(text, at) !== GAP.none) return at;
  }
  return isLowSurrogate(text.charCodeAt(limit)) && limit - 1 > start ? limit - 1 : limit;
}
