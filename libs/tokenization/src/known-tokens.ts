import type { Tokenizer as NativeTokenizer } from 'tokenizers';
import type { TokenizerJson } from './word-rules.ts';

/** The marker of a word's beginning, which is a separate token before a character that the vocabulary lacks. */
const MARKS = ['▁', 'Ġ'];

/** Tokens without meaning: the unknown token, and bare markers of a word's beginning. */
export function blankTokens(json: TokenizerJson, native: NativeTokenizer): ReadonlySet<number> {
  const { unk_token: unknown, unk_id: unknownId } = json.model ?? {};
  const named = [unknown, ...MARKS].map((token) =>
    typeof token === 'string' ? native.tokenToId(token) : null,
  );
  return new Set([...named, unknownId].filter((id) => typeof id === 'number'));
}

/** How many of the prefix's tokens `ids` begins with, from `start` on. */
export function prefixLength(ids: ArrayLike<number>, start: number, prefix: readonly number[]): number {
  let length = 0;
  while (length < prefix.length && ids[start + length] === prefix[length]) length += 1;
  return length;
}
