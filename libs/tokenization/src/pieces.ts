import { EmbedmillError } from '@embedmill/jobs';

/** A piece of a text that is encoded separately. */
export interface Piece {
  text: string;
  /** Its start in the whole text, in UTF-16 units. */
  start: number;
}

/** Where a tokenizer's texts may be cut, so that the pieces' tokens are those of the whole. */
export interface PieceRules {
  /** Whether the text may be cut before `position` (0 < position < text.length). */
  cutsBefore: (text: string, position: number) => boolean;
  /** The maximum number of UTF-16 units without a possible cut; longer texts are refused. */
  mostUncut: number;
}

/** An English piece has about 7,000 tokens, which take a few ms to encode, and as long to read back. */
export const PIECE_CHARACTERS = 32_768;

/**
 * Cuts a text into pieces so that a long one is encoded on all cores, in bounded memory, without blocking the event
 * loop. The pieces have the same tokens as the whole text: if `rules` allow no cut for `limit` characters, a piece
 * continues until they do. Throws `word_too_long` if it would become too long to encode.
 */
export function piecesOf(text: string, rules: PieceRules, limit = PIECE_CHARACTERS): Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  while (text.length - start > limit) {
    const end = cutBefore(text, start, start + limit, rules);
    if (end === text.length) break;
    pieces.push({ text: text.slice(start, end), start });
    start = end;
  }
  pieces.push({ text: text.slice(start), start });
  for (const piece of pieces) {
    if (piece.text.length <= Math.max(rules.mostUncut, limit)) continue;
    throw new EmbedmillError(
      'word_too_long',
      `from character ${piece.start} on, the text has ${piece.text.length} characters without a space, but the model's tokenizer takes at most ${rules.mostUncut}; put spaces between its words, or split the document`,
    );
  }
  return pieces;
}

/** The last place to cut in (start, limit], else the first one after it, else the text's end. */
function cutBefore(text: string, start: number, limit: number, { cutsBefore }: PieceRules): number {
  for (let at = limit; at > start; at -= 1) {
    if (cutsBefore(text, at)) return at;
  }
  let at = limit + 1;
  while (at < text.length && !cutsBefore(text, at)) at += 1;
  return Math.min(at, text.length);
}
