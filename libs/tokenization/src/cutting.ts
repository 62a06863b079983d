import type { Block, Chunking } from '@embedmill/jobs';

export interface CutLimits {
  /** The number of text tokens that fit into a chunk. */
  capacity: number;
  /** The number of tokens that a chunk repeats from the end of the previous one; limited to half the capacity. */
  overlap: number;
  /** `content` by default. */
  boundary?: Extract<Chunking, { mode: 'tokens' }>['boundary'];
  /** Ranges whose lines belong together, in order; with `content`, a chunk ends at the end of a line in them. */
  blocks?: readonly Block[] | undefined;
}

/**
 * The maximum text of a chunk of `capacity` tokens in UTF-16 units (a single token may exceed it), so that its text
 * stays small in the store even if a token represents a very long run of characters.
 */
export const maxCharacters = (capacity: number): number => 32 * capacity;

export interface Cutting extends CutLimits {
  text: string;
  starts: Int32Array;
}

export const at = (starts: Int32Array, token: number): number => starts[token] ?? 0;

/** The token before which a chunk from `from` must end, by its capacity and its maximum text. */
export function chunkLimit(cutting: Cutting, from: number, capacity = cutting.capacity): number {
  const { text, starts } = cutting;
  const count = starts.length;
  let limit = Math.min(from + capacity, count);
  const characters = (limit === count ? text.length : at(starts, limit)) - at(starts, from);
  const most = maxCharacters(capacity);
  if (characters > most) {
    while (limit > from + 1 && at(starts, limit - 1) - at(starts, from) > most) limit -= 1;
    if (limit > from + 1) limit -= 1;
  }
  // Several tokens can represent one character, which goes to the next chunk as a whole.
  let whole = limit;
  while (whole < count && whole > from + 1 && at(starts, whole) === at(starts, whole - 1)) whole -= 1;
  return whole < count && at(starts, whole) === at(starts, whole - 1) ? limit : whole;
}

/** The token before which a chunk ends, and whether a word continues there. */
export interface ChunkEnd {
  to: number;
  insideWord: boolean;
}
