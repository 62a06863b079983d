import type { Block, Chunking } from '@embedmill/jobs';

export interface CutLimits {
  /** Tokens of the text that fit in a chunk. */
  capacity: number;
  /** Tokens that a chunk repeats from the end of the one before; taken as half the capacity at most. */
  overlap: number;
  /** `content` by default. */
  boundary?: Extract<Chunking, { mode: 'tokens' }>['boundary'];
  /** Stretches whose lines belong together, in order: a chunk ends with one, under `content`. */
  blocks?: readonly Block[] | undefined;
}

/**
 * How much text a chunk of `capacity` tokens covers at most (but for a single token of more), in UTF-16 units, so
 * that its text stays small in the store even where a token stands for a long run of anything.
 */
export const maxCharacters = (capacity: number): number => 32 * capacity;

export interface Cutting extends CutLimits {
  text: string;
  starts: Int32Array;
}

export const at = (starts: Int32Array, token: number): number => starts[token] ?? 0;

/** The token before which a chunk from `from` must end: by its capacity, and by how much text it covers. */
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
  // Several tokens can stand for one character: it goes to the next chunk as a whole.
  let whole = limit;
  while (whole < count && whole > from + 1 && at(starts, whole) === at(starts, whole - 1)) whole -= 1;
  return whole < count && at(starts, whole) === at(starts, whole - 1) ? limit : whole;
}

/** The token before which a chunk ends, and whether a word goes on there. */
export interface ChunkEnd {
  to: number;
  insideWord: boolean;
}
