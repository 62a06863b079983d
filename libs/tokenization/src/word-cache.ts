import type { TokenColumns, TokenSlice } from './encoding.ts';

/** Longer words, in UTF-16 units, are not worth caching. */
export const MAX_WORD_UNITS = 64;
const MAX_WORD_TOKENS = 255;

/** The hash of a word is `HASH_START`, then `hashed` with each of its units. */
export const HASH_START = 0x811c9dc5 | 0;
export const hashed = (hash: number, unit: number): number => Math.imul(hash ^ unit, 0x01000193);

/**
 * Words and their tokens, in two generations of a fixed size. New words go to the young generation; once it is full it
 * becomes the old one, and the previous old one is dropped. A word found in the old generation is copied to the young
 * one, so frequent words stay, however many others occur once. Entries are not objects but are stored in typed arrays:
 * with the default size, a full cache takes 9 MB, and unused memory is not touched.
 *
 * Tokens are copied out at once, so no caller holds a reference to dropped entries. Used by `Words` and `SpacedWords`,
 * without `await`.
 */
export class WordCache {
  #young: Generation;
  #old: Generation;

  /** Holds up to twice this many words; a power of two. */
  constructor(words = 1 << 16) {
    this.#young = new Generation(words);
    this.#old = new Generation(words);
  }

  /** Appends the tokens of the word at `start` to `end` of a text; false if it is unknown. */
  recall(text: string, start: number, end: number, hash: number, tokens: TokenColumns): boolean {
    const entry = this.#young.find(text, start, end, hash);
    if (entry !== NONE) {
      this.#young.copy(entry, start, tokens);
      return true;
    }
    const old = this.#old.find(text, start, end, hash);
    if (old === NONE) return false;
    const from = tokens.length;
    this.#old.copy(old, start, tokens);
    // This never ages the young generation: without new words, both are equivalent to one.
    if (this.#young.hasRoom(end - start, tokens.length - from)) {
      this.#young.add(text, start, end, hash, tokens.slice(from, tokens.length));
    }
    return true;
  }

  /** Like `recall`, but appends a single token for an unknown word, with the id −1 − the word's index in `unknown`. */
  read(
    text: string,
    start: number,
    end: number,
    hash: number,
    tokens: TokenColumns,
    unknown: Map<string, number>,
  ): void {
    if (end - start <= MAX_WORD_UNITS && this.recall(text, start, end, hash, tokens)) return;
    const word = text.slice(start, end);
    let number = unknown.get(word);
    if (number === undefined) {
      number = unknown.size;
      unknown.set(word, number);
    }
    tokens.push(-1 - number, start, end);
  }

  /** Caches the tokens of a word that `recall` did not know. */
  add(word: string, tokens: TokenSlice): void {
    if (word.length > MAX_WORD_UNITS || tokens.length > MAX_WORD_TOKENS) return;
    if (!this.#young.hasRoom(word.length, tokens.length)) {
      [this.#young, this.#old] = [this.#old, this.#young];
      this.#young.clear();
    }
    let hash = HASH_START;
    for (let at = 0; at < word.length; at += 1) hash = hashed(hash, word.charCodeAt(at));
    this.#young.add(word, 0, word.length, hash, tokens);
  }
}

const NONE = -1;
/**
 * The number of slots that are probed for a word. If all are taken, the word is not cached, so no text can make this
 * slow.
 */
const PROBES = 32;
/** The units reserved per word, more than the average; a generation also ends once they are used up. */
const UNITS_PER_WORD = 10;
const TOKENS_PER_WORD = 4;

/** An open-addressing hash table of words, which is filled once and then cleared as a whole. */
class Generation {
  /** An entry's index plus one, or 0. */
  readonly #slots: Int32Array;
  /** Four numbers per entry: hash, first unit, first token, number of units + 256 × number of tokens. */
  readonly #entries: Int32Array;
  readonly #units: Uint16Array;
  readonly #ids: Int32Array;
  /** As in an encoding, relative to the word's start. */
  readonly #offsets: Uint8Array;
  #entryCount = 0;
  #unitCount = 0;
  #tokenCount = 0;

  constructor(words: number) {
    this.#slots = new Int32Array(2 * words);
    this.#entries = new Int32Array(4 * words);
    const tokens = Math.max(MAX_WORD_TOKENS, TOKENS_PER_WORD * words);
    this.#units = new Uint16Array(Math.max(MAX_WORD_UNITS, UNITS_PER_WORD * words));
    this.#ids = new Int32Array(tokens);
    this.#offsets = new Uint8Array(2 * tokens);
  }

  clear(): void {
    this.#slots.fill(0);
    this.#entryCount = 0;
    this.#unitCount = 0;
    this.#tokenCount = 0;
  }

  hasRoom(units: number, tokens: number): boolean {
    return (
      4 * this.#entryCount < this.#entries.length &&
      this.#unitCount + units <= this.#units.length &&
      this.#tokenCount + tokens <= this.#ids.length
    );
  }

  find(text: string, start: number, end: number, hash: number): number {
    const slots = this.#slots;
    const entries = this.#entries;
    const first = slotOf(hash);
    for (let probe = 0; probe < PROBES; probe += 1) {
      const entry = (slots[(first + probe) & (slots.length - 1)] ?? 0) - 1;
      if (entry === NONE) return NONE;
      if (entries[4 * entry] === hash && this.#isAt(entry, text, start, end)) return entry;
    }
    return NONE;
  }

  #isAt(entry: number, text: string, start: number, end: number): boolean {
    if (((this.#entries[4 * entry + 3] ?? 0) & 0xff) !== end - start) return false;
    const shift = (this.#entries[4 * entry + 1] ?? 0) - start;
    for (let at = start; at < end; at += 1) {
      if (this.#units[at + shift] !== text.charCodeAt(at)) return false;
    }
    return true;
  }

  /** Appends an entry's tokens, with offsets relative to `start`. */
  copy(entry: number, start: number, tokens: TokenColumns): void {
    const count = (this.#entries[4 * entry + 3] ?? 0) >> 8;
    const from = this.#entries[4 * entry + 2] ?? 0;
    tokens.reserve(count);
    const { ids, offsets, length } = tokens;
    for (let n = 0; n < count; n += 1) {
      ids[length + n] = this.#ids[from + n] ?? 0;
      offsets[2 * (length + n)] = start + (this.#offsets[2 * (from + n)] ?? 0);
      offsets[2 * (length + n) + 1] = start + (this.#offsets[2 * (from + n) + 1] ?? 0);
    }
    tokens.length = length + count;
  }

  /** Adds a new word, for which there must be room; its tokens' offsets are relative to the text's start. */
  add(text: string, start: number, end: number, hash: number, { tokens, from, length }: TokenSlice): void {
    const slot = this.#freeSlot(hash);
    if (slot === NONE) return;
    const entry = this.#entryCount;
    this.#slots[slot] = entry + 1;
    this.#entries[4 * entry] = hash;
    this.#entries[4 * entry + 1] = this.#unitCount;
    this.#entries[4 * entry + 2] = this.#tokenCount;
    this.#entries[4 * entry + 3] = end - start + 256 * length;
    for (let at = start; at < end; at += 1) this.#units[this.#unitCount + at - start] = text.charCodeAt(at);
    for (let n = 0; n < length; n += 1) this.#ids[this.#tokenCount + n] = tokens.ids[from + n] ?? 0;
    for (let n = 0; n < 2 * length; n += 1) {
      this.#offsets[2 * this.#tokenCount + n] = (tokens.offsets[2 * from + n] ?? 0) - start;
    }
    this.#entryCount += 1;
    this.#unitCount += end - start;
    this.#tokenCount += length;
  }

  #freeSlot(hash: number): number {
    const slots = this.#slots;
    const first = slotOf(hash);
    for (let probe = 0; probe < PROBES; probe += 1) {
      const slot = (first + probe) & (slots.length - 1);
      if (slots[slot] === 0) return slot;
    }
    return NONE;
  }
}

/** Mixes the bits, because the low bits of a product depend only on the low bits of its factors. */
const slotOf = (hash: number): number => hash ^ (hash >>> 15);
