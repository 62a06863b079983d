import type { Tokenizer as NativeTokenizer } from 'tokenizers';
import type { TokenizerJson } from './word-rules.ts';

/** What marks a word's beginning, and is a token by itself before a character that the vocabulary lacks. */
const MARKS = ['▁', 'Ġ'];

/** Tokens that stand for nothing a text says: that of unknown characters, and bare marks of a word's beginning. */
export function blankTokens(json: TokenizerJson, native: NativeTokenizer): ReadonlySet<number> {
  const { unk_token: unknown, unk_id: unknownId } = json.model ?? {};
  const named = [unknown, ...MARKS].map((token) =>
    typeof token === 'string' ? native.tokenToId(token) : null,
  );
  return new Set([...named, unknownId].filter((id) => typeof id === 'number'));
}

/** How many of the prefix's tokens stand at the beginning of `ids`, from `start` on. */
export function prefixLength(ids: ArrayLike<number>, start: number, prefix: readonly number[]): number {
  let length = 0;
  while (length < prefix.length && ids[start + length] === prefix[length]) length += 1;
  return length;
}
