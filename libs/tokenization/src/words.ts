import { setImmediate as nextTurn } from 'node:timers/promises';
import { TokenColumns, type PlainEncoding, type TokenSlice } from './encoding.ts';
import { HASH_START, MAX_WORD_UNITS, WordCache, hashed } from './word-cache.ts';
import { UNIT, type WordRules } from './word-rules.ts';

/** Unknown words go to the native tokenizer many at a time, as a text of about so many characters. */
const PAGE_CHARACTERS = 1024;
/** After so many tokens read back, some 5 ms, others get a turn of the event loop. */
const TURN_TOKENS = 8192;
const SPACE = 0x20;

/**
 * Texts → tokens word by word, where `WordRules` say that words are independent: the native tokenizer is asked
 * once what a word's tokens are, and the cache remembers. Its caller is `Tokenizer`, which has one of its own.
 *
 * Texts are read without `await`: known words give their tokens, unknown ones a placeholder, to be filled in when
 * the native tokenizer has answered for all of them together. So calls may overlap, and what the cache forgets in
 * between is missed by none.
 */
export class Words {
  readonly #units: Uint8Array;
  readonly #reaching: readonly string[];
  readonly #encodeNatively: (texts: string[]) => Promise<PlainEncoding[]>;
  readonly #cache: WordCache;

  constructor(
    rules: WordRules,
    encodeNatively: (texts: string[]) => Promise<PlainEncoding[]>,
    cache = new WordCache(),
  ) {
    this.#units = rules.units;
    this.#reaching = rules.reaching;
    this.#encodeNatively = encodeNatively;
    this.#cache = cache;
  }

  /** Whether a text can be cut into words at all. */
  canEncode(text: string): boolean {
    return !this.#reaching.some((content) => text.includes(content));
  }

  /**
   * The encodings of texts that it can encode, in the order given, as the native tokenizer would give them. Throws
   * what that throws. All texts are read in one go, so don't give it too many.
   */
  async encode(texts: readonly string[]): Promise<PlainEncoding[]> {
    const characters = texts.reduce((sum, { length }) => sum + length, 0);
    const tokens = new TokenColumns(16 + (characters >> 1));
    const unknown = new Map<string, number>();
    const ends: number[] = [];
    for (const text of texts) {
      this.#read(text, tokens, unknown);
      ends.push(tokens.length);
    }
    if (unknown.size === 0) return slices(tokens, ends);
    return filled(tokens, ends, await this.#ask([...unknown.keys()]));
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
        // All that stands between two spaces is one word after all.
        tokens.length = segmentToken;
        start = segment;
        hash = HASH_START;
        for (at = segment; at < length && units[text.charCodeAt(at)] !== UNIT.space; at += 1) {
          hash = hashed(hash, text.charCodeAt(at));
        }
        kind = UNIT.space;
      }
      if (start < at) this.#word(text, start, at, hash, tokens, unknown);
      start = at + 1;
      hash = HASH_START;
      if (kind === UNIT.alone) {
        this.#word(text, at, at + 1, hashed(HASH_START, unit), tokens, unknown);
      } else {
        segment = start;
        segmentToken = tokens.length;
      }
    }
  }

  #word(
    text: string,
    start: number,
    end: number,
    hash: number,
    tokens: TokenColumns,
    unknown: Map<string, number>,
  ): void {
    if (end - start <= MAX_WORD_UNITS && this.#cache.recall(text, start, end, hash, tokens)) return;
    const word = text.slice(start, end);
    let number = unknown.get(word);
    if (number === undefined) {
      number = unknown.size;
      unknown.set(word, number);
    }
    tokens.push(-1 - number, start, end);
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
      for (const [m, one] of wordsOf(encoding, page).entries()) {
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

function pagesOf(words: readonly string[]): string[][] {
  const pages: string[][] = [];
  let room = 0;
  for (const word of words) {
    if (room <= 0) {
      pages.push([]);
      room = PAGE_CHARACTERS;
    }
    pages.at(-1)?.push(word);
    room -= word.length + 1;
  }
  return pages;
}

/** The encoding of a page → that of each of its words. */
function wordsOf(encoding: PlainEncoding, page: readonly string[]): TokenSlice[] {
  const ids = encoding.ids();
  const offsets = encoding.offsets();
  const tokens = new TokenColumns(encoding.length);
  const ends: number[] = [];
  let start = 0;
  for (const { length } of page) {
    const next = start + length + 1;
    for (let n = tokens.length; n < ids.length && (offsets[2 * n] ?? 0) < next; n += 1) {
      tokens.push(ids[n] ?? 0, (offsets[2 * n] ?? 0) - start, (offsets[2 * n + 1] ?? 0) - start);
    }
    ends.push(tokens.length);
    start = next;
  }
  return slices(tokens, ends);
}

/** The tokens as read, with those of the words that were unknown then in their places. */
function filled(read: TokenColumns, readEnds: readonly number[], found: readonly TokenSlice[]): TokenSlice[] {
  const tokens = new TokenColumns(2 * read.length);
  const ends: number[] = [];
  let from = 0;
  for (const to of readEnds) {
    for (let n = from; n < to; n += 1) {
      const id = read.ids[n] ?? 0;
      const start = read.offsets[2 * n] ?? 0;
      const word = id < 0 ? found[-1 - id] : undefined;
      if (word === undefined) tokens.push(id, start, read.offsets[2 * n + 1] ?? 0);
      else tokens.append(word, start);
    }
    ends.push(tokens.length);
    from = to;
  }
  return slices(tokens, ends);
}

function slices(tokens: TokenColumns, ends: readonly number[]): TokenSlice[] {
  let from = 0;
  return ends.map((to) => {
    const slice = tokens.slice(from, to);
    from = to;
    return slice;
  });
}
