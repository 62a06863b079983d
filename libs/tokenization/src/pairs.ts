import type { Tokenizer as NativeTokenizer } from 'tokenizers';

/** The special tokens around the two parts of a pair. */
export interface PairFrame {
  readonly start: readonly number[];
  readonly between: readonly number[];
  readonly end: readonly number[];
  /** How many of the tokens in between have type 0, like the first part. */
  readonly betweenOfFirst: number;
  /** Whether the second part has type 1; RoBERTa and its relatives have only one type. */
  readonly hasTypes: boolean;
}

/** A part's first tokens, as many as may be needed, and its total number of tokens. */
export interface Part {
  readonly kept: readonly number[];
  readonly length: number;
}

/** Two texts in one sequence, as cross-encoders read them. */
export interface EncodedPair {
  ids: Int32Array;
  /** How many of `ids` have token type 0; the others have type 1. */
  firstPart: number;
  /** The pair's number of tokens before truncation, including special tokens and prefixes. */
  tokens: number;
  truncated: boolean;
  /** Whether all tokens of the second part are unknown to the model. */
  unknown: boolean;
}

/** The special tokens of a tokenizer's pair template, found by querying it. */
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
 * Truncates a pair's parts to `room` tokens in total. The longer part is truncated at its end until both fit or have
 * the same length, then both are: like Hugging Face's `longest_first`, with which cross-encoders are trained. So a
 * query of less than half the room is always read whole.
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
