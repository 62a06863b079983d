import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PlainEncoding, TokenColumns, TokenSlice } from './encoding.ts';
import { LongWords } from './long-words.ts';
import { HASH_START, WordCache, hashed } from './word-cache.ts';
import { filled, pagesOf, readTexts, slices, wordsOfPage } from './word-pages.ts';
import { UNIT, type WordRules } from './word-rules.ts';

/** Longer words are not passed to the native tokenizer as a whole. */
const LONG_WORD_UNITS = 4096;
/** The number of tokens read back, about 5 ms, after which the event loop gets a turn. */
const TURN_TOKENS = 8192;
const SPACE = 0x20;

/**
 * Texts → tokens word by word, if words are independent by `WordRules`: the native tokenizer is called once for each
 * word, and the cache keeps the result. Used by `Tokenizer`, which has its own instance.
 *
 * Texts are processed without `await`: known words give their tokens, unknown ones a placeholder, which is replaced
 * once the native tokenizer has encoded all of them together. So calls may overlap, and entries that the cache drops in
 * between do not matter.
 */
export class Words {
  readonly #units: Uint8Array;
  readonly #reaching: readonly string[];
  readonly #encodeNatively: (texts: string[]) => Promise<PlainEncoding[]>;
  readonly #cache: WordCache;
  readonly #long: LongWords | undefined;

  constructor(
    rules: WordRules,
    encodeNatively: (texts: string[]) => Promise<PlainEncoding[]>,
    cache = new WordCache(),
  ) {
    this.#units = rules.units;
    this.#reaching = rules.reaching;
    this.#encodeNatively = encodeNatively;
    this.#cache = cache;
    this.#long = rules.canSplitLongWords ? new LongWords(rules, encodeNatively) : undefined;
  }

  /** Whether a text can be cut into words at all. */
  canEncode(text: string): boolean {
    return !this.#reaching.some((content) => text.includes(content));
  }

  /**
   * The encodings of texts that it can encode, in the given order, equal to the native tokenizer's. Throws what that
   * throws. All texts are processed without yielding, so do not pass too many.
   */
  async encode(texts: readonly string[]): Promise<PlainEncoding[]> {
    const { tokens, unknown, ends } = readTexts(texts, this.#read.bind(this));
    if (unknown.size === 0) return slices(tokens, ends);
    return filled(tokens, ends, await this.#askAll([...unknown.keys()]));
  }

  /** Appends a text's tokens: for an unknown word a single one, whose id is −1 − the word's number in `unknown`. */
  #read(text: string, tokens: TokenColumns, unknown: Map<string, number>): void {
    const units = this.#units;
    const { length } = text;
    let segment = 0;
    let segmentToken = tokens.length;
    let start = 0;
    let hash = HASH_START;
    for (let at = 0; at <= length; at += 1) {
      const unit = at < length ? text.charCodeAt(at) : SPACE;
      let kind = units[unit];
      if (kind === UNIT.inWord) {
        hash = hashed(hash, unit);
        continue;
      }
      if (kind === UNIT.added) {
        // The text between two spaces is one word after all.
        tokens.length = segmentToken;
        start = segment;
        hash = HASH_START;
        for (at = segment; at < length && units[text.charCodeAt(at)] !== UNIT.space; at += 1) {
          hash = hashed(hash, text.charCodeAt(at));
        }
        kind = UNIT.space;
      }
      if (start < at) this.#cache.read(text, start, at, hash, tokens, unknown);
      start = at + 1;
      hash = HASH_START;
      if (kind === UNIT.alone) {
        this.#cache.read(text, at, at + 1, hashed(HASH_START, unit), tokens, unknown);
      } else {
        segment = start;
        segmentToken = tokens.length;
      }
    }
  }

  async #askAll(words: string[]): Promise<TokenSlice[]> {
    const long = this.#long;
    const isLong = (word: string) => long !== undefined && word.length > LONG_WORD_UNITS;
    const asked = (await this.#ask(words.filter((word) => !isLong(word)))).values();
    const found: TokenSlice[] = [];
    for (const word of words) {
      const one = isLong(word) ? await long?.encode(word) : asked.next().value;
      if (one === undefined) break;
      found.push(one);
    }
    return found;
  }

  /** Encodings of words, which the cache knows from then on. */
  async #ask(words: string[]): Promise<TokenSlice[]> {
    const pages = pagesOf(words);
    const encodings = await this.#encodeNatively(pages.map((page) => page.join(' ')));
    const found: TokenSlice[] = [];
    let unturned = 0;
    for (const [n, page] of pages.entries()) {
      const encoding = encodings[n];
      if (encoding === undefined) break;
      for (const [m, one] of wordsOfPage(encoding, page).entries()) {
        found.push(one);
        this.#cache.add(page[m] ?? '', one);
      }
      unturned += encoding.length;
      if (unturned > TURN_TOKENS) {
        await nextTurn();
        unturned = 0;
      }
    }
    return found;
  }
}
