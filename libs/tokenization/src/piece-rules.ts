import type { Tokenizer as NativeTokenizer } from 'tokenizers';
import { isSpace } from './characters.ts';
import type { PieceRules } from './pieces.ts';
import { UNIT, type AddedToken, type WordRules } from './word-rules.ts';

/** A text length for which a native tokenizer temporarily takes about 100 MB. */
const MOST_UNCUT = 1 << 20;

/**
 * The rules if words are independent of one another: cuts before white space, and next to characters that are separate
 * words, like ASCII punctuation and Chinese, unless an added token could span the cut.
 */
export function wordPieceRules({ units, added, canSplitLongWords }: WordRules): PieceRules {
  const longest = added.reduce((most, { length }) => Math.max(most, length), 0);
  const isNearAdded = (text: string, position: number): boolean => {
    for (let at = Math.max(0, position - longest); at <= position; at += 1) {
      if (units[text.charCodeAt(at)] === UNIT.added) return true;
    }
    return false;
  };
  return {
    mostUncut: canSplitLongWords ? Infinity : MOST_UNCUT,
    cutsBefore: (text, position) => {
      const before = units[text.charCodeAt(position - 1)];
      const after = units[text.charCodeAt(position)];
      if (after === UNIT.space) return before !== UNIT.space;
      if (before !== UNIT.alone && after !== UNIT.alone) return false;
      return canSplitLongWords && !isNearAdded(text, position);
    },
  };
}

const SPACES = [' ', '\n', '\t', '\r\n', '\u00a0', '\u3000'];
const LETTERS = ['a', 'é', '中', 'я'];
const OTHERS = ['1', '.', ',', ')', '。', '!'];

/**
 * The rules for any other tokenizer: cuts before white space, if trials show that this changes no token; only after
 * letters if it changes tokens after other characters, as with tokenizers that join line ends to punctuation.
 */
export async function nativePieceRules(
  native: NativeTokenizer,
  added: readonly AddedToken[],
): Promise<PieceRules> {
  const afterLetters = await safeSpaces(native, LETTERS);
  const afterOthers = await safeSpaces(native, OTHERS);
  // An added token that includes or absorbs an adjacent space must not be separated from it.
  const reaching = added
    .filter(
      ({ content, lstrip, rstrip, single_word }) => lstrip || rstrip || single_word || /\s/.test(content),
    )
    .map(({ content }) => content)
    .filter((content) => content !== '');
  const longest = reaching.reduce((most, { length }) => Math.max(most, length), 0);
  const isNearReaching = (text: string, position: number): boolean => {
    if (longest === 0) return false;
    const near = text.slice(Math.max(0, position - longest), position + longest);
    return reaching.some((content) => near.includes(content));
  };
  return {
    mostUncut: MOST_UNCUT,
    cutsBefore: (text, position) => {
      const space = text.charCodeAt(position);
      if (!isSpace(space) || !VISIBLE.test(text.charAt(position - 1))) return false;
      const safe = LETTER.test(text.charAt(position - 1)) ? afterLetters : afterOthers;
      return safe.has(space) && !isNearReaching(text, position);
    },
  };
}

const LETTER = /\p{L}/u;
/** Excludes characters that a normalizer may convert to a space: fillers, blanks, and SentencePiece's space marker. */
const VISIBLE = /[[\p{L}\p{N}\p{P}\p{S}]--[\p{Default_Ignorable_Code_Point}\u2581\u2800]]/v;

/** The first units of white space before which a text can be cut, after each of some characters. */
async function safeSpaces(native: NativeTokenizer, characters: readonly string[]): Promise<Set<number>> {
  const encoded = async (texts: string[]): Promise<number[][]> =>
    (await native.encodeBatch(texts, { addSpecialTokens: false })).map((encoding) => encoding.getIds());
  const safe = new Set<number>();
  for (const space of SPACES) {
    const runs = [space, space + space, `${space} `, ` ${space}`, `${space}\n`];
    const tried = runs.flatMap((run) =>
      characters.flatMap((before) =>
        [...LETTERS, ...OTHERS].map((after) => [`x${before}`, `${run}${after}x`] as const),
      ),
    );
    const wholes = await encoded(tried.map((parts) => parts.join('')));
    const heads = await encoded(tried.map(([head]) => head));
    const tails = await encoded(tried.map(([, tail]) => tail));
    const isSame = wholes.every((whole, n) => {
      const parts = [...(heads[n] ?? []), ...(tails[n] ?? [])];
      return whole.length === parts.length && whole.every((id, at) => id === parts[at]);
    });
    if (isSame) safe.add(space.charCodeAt(0));
  }
  return safe;
}
