import type { Tokenizer as NativeTokenizer } from 'tokenizers';

/** What stands around the two parts of a pair. */
export interface PairFrame {
  readonly start: readonly number[];
  readonly between: readonly number[];
  readonly end: readonly number[];
  /** How many of the tokens between are of type 0, as the first part is. */
  readonly betweenOfFirst: number;
  /** Whether the second part is of type 1; RoBERTa's kin have one type only. */
  readonly hasTypes: boolean;
}

/** A part's first tokens, as many as may be needed, and how many it has. */
export interface Part {
  readonly kept: readonly number[];
  readonly length: number;
}

/** Two texts in one sequence, as cross-encoders read them. */
export interface EncodedPair {
  ids: Int32Array;
  /** How many of `ids` are of token type 0; the others are of type 1. */
  firstPart: number;
  /** How many tokens the whole pair has, special tokens and prefixes included, before it was cut. */
  tokens: number;
  truncated: boolean;
  /** Whether the model knows no token of the second part. */
  unknown: boolean;
}

/** What a tokenizer's own template for pairs puts around their parts, found by asking it. */
export async function pairFrameOf(native: NativeTokenizer): Promise<PairFrame> {
  const probe = await native.encode('a', 'a', { addSpecialTokens: true });
  const ids = probe.getIds();
  const types = probe.getTypeIds();
  const parts = probe.getSequenceIds();
  const [first, second] = [parts.indexOf(0), parts.indexOf(1)];
  const [firstEnd, secondEnd] = [parts.lastIndexOf(0) + 1, parts.lastIndexOf(1) + 1];
  return {
    start: ids.slice(0, first),
    between: ids.slice(firstEnd, second),
    end: ids.slice(secondEnd),
    betweenOfFirst: types.slice(firstEnd, second).filter((type) => type === 0).length,
    hasTypes: types[second] === 1,
  };
}

export const specialTokensOf = ({ start, between, end }: PairFrame): number =>
  start.length + between.length + end.length;

/**
 * A pair whose parts have `room` tokens at most. Where they have more, the longer part loses its end until they fit
 * or are of one length, then both do: as Hugging Face's `longest_first`, with which cross-encoders are trained. So
 * a query of less than half the room is always read whole.
 */
export function framePair(
  frame: PairFrame,
  first: Part,
  second: Part,
  room: number,
): Omit<EncodedPair, 'unknown'> {
  const firstLength = Math.min(first.length, Math.max(room - second.length, room >> 1));
  const ids = Int32Array.from([
    ...frame.start,
    ...first.kept.slice(0, firstLength),
    ...frame.between,
    ...second.kept.slice(0, room - firstLength),
    ...frame.end,
  ]);
  const tokens = specialTokensOf(frame) + first.length + second.length;
  return {
    ids,
    firstPart: frame.hasTypes ? frame.start.length + firstLength + frame.betweenOfFirst : ids.length,
    tokens,
    truncated: tokens > ids.length,
  };
}
