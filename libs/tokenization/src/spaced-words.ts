import { TokenColumns, type PlainEncoding, type TokenSlice } from './encoding.ts';
import { HASH_START, WordCache, hashed } from './word-cache.ts';
import { filled, readTexts, slices } from './word-pages.ts';
import { keepsTokens, type AddedToken, type TokenizerJson } from './word-rules.ts';

/**
 * White space characters that every such normalizer converts to a space one by one. Not "\r", which is joined with
 * "\n".
 */
const SEPARATORS = ' \t\n\u00a0\u3000';
/** SentencePiece's replacement for a space, which precedes every word. */
const MARK = '\u2581';

/** The native tokenizer's offsets are shifted if it drops characters at a text's beginning. */
const DROPPED_FIRST = new RegExp(`^[${SEPARATORS}]?(?![${SEPARATORS}])\\p{C}`, 'u');

const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** The facts about a tokenizer that `SpacedWords` needs. */
export interface SpacedWordRules {
  /** Added tokens, which split a text before anything else; a text with any of them is not cut into words. */
  readonly added: readonly string[];
}

/**
 * The rules for a Unigram tokenizer with independent words, like XLM-R's; undefined for any other. Unigram processes
 * one word at a time if the pre-tokenizer splits before each space; the number of spaces does not matter if the
 * normalizer collapses them or the pre-tokenizer drops them.
 */
export function spacedWordRules(json: TokenizerJson): SpacedWordRules | undefined {
  const { normalizer, pre_tokenizer: preTokenizer, model, post_processor: postProcessor } = json;
  if (model?.type !== 'Unigram' || (postProcessor && !keepsTokens(postProcessor))) return undefined;
  const cutters = preTokenizer?.pretokenizers ?? [preTokenizer];
  const metaspace = cutters.at(-1);
  const dropsSpaces = cutters.length === 2 && cutters[0]?.type === 'WhitespaceSplit';
  if (metaspace?.type !== 'Metaspace' || (cutters.length > 1 && !dropsSpaces)) return undefined;
  if (metaspace.replacement !== MARK || metaspace.split === false) return undefined;
  if (metaspace.prepend_scheme === 'never' || metaspace.add_prefix_space === false) return undefined;

  const steps = normalizer?.normalizers ?? (normalizer ? [normalizer] : []);
  const joinsSpaces = ({ type, pattern, content }: (typeof steps)[number]) =>
    type === 'Replace' && pattern?.Regex === ' {2,}' && content === ' ';
  if (!steps.every((step) => step.type === 'Precompiled' || joinsSpaces(step))) return undefined;
  const last = steps.at(-1);
  if (!dropsSpaces && (last === undefined || !joinsSpaces(last))) return undefined;

  const added = (json.added_tokens ?? []).filter(({ content }) => content !== '');
  // A token searched for in the normalized text could result from other characters.
  return added.some(({ normalized }: AddedToken) => normalized)
    ? undefined
    : { added: added.map(({ content }) => content) };
}

/**
 * Texts → tokens word by word, if `SpacedWordRules` allow it: the native tokenizer is called once for each word, and
 * the cache keeps the result. Used by `Tokenizer`, which has its own instance.
 *
 * A word here is the text between two separators, including the one before it: on its own, it has the same tokens and
 * offsets as in any text. White space at a text's end is a word that consists only of its last separator. Exceptions
 * are words that normalize to nothing or to a text ending in a space, that begin with a control character, or whose
 * last character joins the space after it. A text with one of these rare words is encoded as a whole.
 *
 * Texts are processed without `await`, as in `Words`, so calls may overlap.
 */
export class SpacedWords {
  readonly #added: readonly string[];
  readonly #encodeNatively: (texts: string[]) => Promise<PlainEncoding[]>;
  readonly #mark: number | undefined;
  readonly #cache: WordCache;
  readonly #isSeparator = new Uint8Array(0x10000);

  /** `mark` is the id of a bare "▁", if the vocabulary has one. */
  constructor(
    rules: SpacedWordRules,
    mark: number | undefined,
    encodeNatively: (texts: string[]) => Promise<PlainEncoding[]>,
    cache = new WordCache(),
  ) {
    this.#added = rules.added;
    this.#mark = mark;
    this.#encodeNatively = encodeNatively;
    this.#cache = cache;
    for (const separator of SEPARATORS) this.#isSeparator[separator.charCodeAt(0)] = 1;
  }

  /** Whether a text can be cut into words at all. */
  canEncode(text: string): boolean {
    return !this.#added.some((content) => text.includes(content));
  }

  /** The encodings of texts that it can encode, in the given order, equal to the native tokenizer's. */
  async encode(texts: readonly string[]): Promise<PlainEncoding[]> {
    const { tokens, unknown, ends } = readTexts(texts, this.#read.bind(this));
    if (unknown.size === 0) return slices(tokens, ends);
    const words = [...unknown.keys()];
    const found = (await this.#encodeNatively(words)).map(ownSlice);
    const odd = new Set<number>();
    for (const [n, word] of words.entries()) {
      const own = found[n];
      if (own === undefined || this.#isOdd(word, own)) odd.add(n);
      else this.#cache.add(word, own);
    }
    const encodings: PlainEncoding[] = filled(tokens, ends, found);
    return odd.size === 0 ? encodings : this.#withWholes(texts, encodings, { tokens, ends, odd });
  }

  /** Appends a text's tokens: for an unknown word a single one, whose id is −1 − the word's number in `unknown`. */
  #read(text: string, tokens: TokenColumns, unknown: Map<string, number>): void {
    const { length } = text;
    let start = 0;
    let hash = HASH_START;
    for (let at = 0; at < length; at += 1) {
      const unit = text.charCodeAt(at);
      if (this.#isSeparator[unit] === 1) {
        const isEmpty = at === start || (at === start + 1 && this.#isSeparator[text.charCodeAt(start)] === 1);
        if (!isEmpty) this.#cache.read(text, start, at, hash, tokens, unknown);
        start = at;
        hash = HASH_START;
      }
      hash = hashed(hash, unit);
    }
    if (start < length) this.#cache.read(text, start, length, hash, tokens, unknown);
  }

  #isOdd(word: string, own: TokenSlice): boolean {
    if (word.length === 1 && this.#isSeparator[word.charCodeAt(0)] === 1) return false;
    const last = own.length === 0 ? undefined : own.ids()[own.length - 1];
    if (last === undefined || last === this.#mark || DROPPED_FIRST.test(word)) return true;
    return graphemes.segment(`${word} `).containing(word.length)?.index !== word.length;
  }

  /** The encodings; texts with exceptional words are encoded as a whole by the native tokenizer. */
  async #withWholes(
    texts: readonly string[],
    encodings: PlainEncoding[],
    { tokens, ends, odd }: { tokens: TokenColumns; ends: readonly number[]; odd: ReadonlySet<number> },
  ): Promise<PlainEncoding[]> {
    const whole = texts.flatMap((_, n) => {
      const ids = tokens.ids.subarray(ends[n - 1] ?? 0, ends[n]);
      return ids.some((id) => id < 0 && odd.has(-1 - id)) ? [n] : [];
    });
    const native = await this.#encodeNatively(whole.map((n) => texts[n] ?? ''));
    for (const [at, n] of whole.entries())
      encodings[n] = native[at] ?? encodings[n] ?? new TokenColumns(0).slice(0, 0);
    return encodings;
  }
}

function ownSlice(encoding: PlainEncoding): TokenSlice {
  const tokens = new TokenColumns(encoding.length);
  const ids = encoding.ids();
  const offsets = encoding.offsets();
  for (let n = 0; n < encoding.length; n += 1) {
    tokens.push(ids[n] ?? 0, offsets[2 * n] ?? 0, offsets[2 * n + 1] ?? 0);
  }
  return tokens.slice(0, tokens.length);
}
