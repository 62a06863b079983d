import { setImmediate as nextTurn } from 'node:timers/promises';
import { TokenColumns, type PlainEncoding, type TokenSlice } from './encoding.ts';
import { pagesOf, wordsOfPage } from './word-pages.ts';
import type { WordRules } from './word-rules.ts';

/** What a character does to the word around it, as found by querying the tokenizer. */
const EFFECT = { unknown: 0, kept: 1, dropped: 2, separate: 3 } as const;
type Effect = (typeof EFFECT)[keyof typeof EFFECT];

/** The number of a word's parts per call. */
const PARTS = 4096;
/** The number of characters after which the event loop gets a turn. */
const TURN_CHARACTERS = 1 << 18;

/** A part of a long word: the text for the tokenizer, and the positions of its UTF-16 units and of its end. */
interface Part {
  /** Undefined if it has more characters than the tokenizer reads. */
  text: string | undefined;
  places: number[];
  end: number;
}

/**
 * Tokenizes long words in the sense of `WordRules`: endless letters, or text in a script whose spaces and punctuation
 * the rules do not know. The native tokenizer never gets such a word as a whole, which would take 100 times its size in
 * memory. Instead it is queried for the effect of each character in a word; the word is cut at characters that are
 * separate words, and a part with more characters than WordPiece reads is one unknown token. Used by `Words`.
 */
export class LongWords {
  readonly #rules: WordRules;
  readonly #encodeNatively: (texts: string[]) => Promise<PlainEncoding[]>;
  readonly #added: RegExp | undefined;
  /** By code point. */
  readonly #effects = new Uint8Array(0x110000);
  #letter: number[] | undefined;
  #letters: number[] | undefined;
  #unknown: number[] | undefined;

  constructor(rules: WordRules, encodeNatively: (texts: string[]) => Promise<PlainEncoding[]>) {
    this.#rules = rules;
    this.#encodeNatively = encodeNatively;
    const contents = rules.added
      .toSorted((a, b) => b.length - a.length)
      .map((content) => RegExp.escape(content));
    this.#added = contents.length === 0 ? undefined : new RegExp(contents.join('|'), 'g');
  }

  /** The encoding of a word without white space, equal to the native tokenizer's. */
  async encode(word: string): Promise<TokenSlice> {
    const tokens = new TokenColumns(256);
    let parts: Part[] = [];
    for await (const part of this.#parts(word)) {
      parts.push(part);
      if (parts.length < PARTS) continue;
      await this.#append(parts, tokens);
      parts = [];
    }
    await this.#append(parts, tokens);
    return tokens.slice(0, tokens.length);
  }

  async *#parts(word: string): AsyncGenerator<Part, undefined> {
    let start = 0;
    for (const { 0: content, index } of this.#added === undefined ? [] : word.matchAll(this.#added)) {
      yield* this.#partsBetween(word, start, index);
      start = index + content.length;
      yield whole(content, index);
    }
    yield* this.#partsBetween(word, start, word.length);
  }

  async *#partsBetween(word: string, from: number, to: number): AsyncGenerator<Part, undefined> {
    const { maxWordCharacters } = this.#rules;
    let characters: string[] = [];
    let places: number[] = [];
    let count = 0;
    let end = from;
    const taken = (): Part => {
      const text = count > maxWordCharacters ? undefined : characters.join('');
      const part = { text, places, end };
      characters = [];
      places = [];
      count = 0;
      return part;
    };
    let turn = from;
    for (let at = from; at < to;) {
      if (at >= turn) {
        turn = Math.min(at + TURN_CHARACTERS, to);
        await this.#learn(word.slice(at, turn + 1));
        await nextTurn();
      }
      const point = word.codePointAt(at) ?? 0;
      const length = point > 0xffff ? 2 : 1;
      switch (this.#effects[point] as Effect) {
        case EFFECT.separate:
          if (count > 0) yield taken();
          yield whole(word.slice(at, at + length), at);
          break;
        case EFFECT.dropped:
          break;
        case EFFECT.kept:
        case EFFECT.unknown:
          count += 1;
          if (count <= maxWordCharacters) {
            characters.push(word.slice(at, at + length));
            for (let unit = 0; unit < length; unit += 1) places.push(at + unit);
          }
          end = at + length;
          break;
      }
      at += length;
    }
    if (count > 0) yield taken();
  }

  /** Determines the effect of new characters by tokenizing "a", the character and "a" again, as one word. */
  async #learn(text: string): Promise<void> {
    const met = new Set<string>();
    for (const character of text) {
      if (this.#effects[character.codePointAt(0) ?? 0] === EFFECT.unknown) met.add(character);
    }
    if (met.size === 0) return;
    const [letter, letters] = await this.#probes();
    const asked = [...met];
    const found = await this.#ask(asked.map((character) => `a${character}a`));
    for (const [n, character] of asked.entries()) {
      const ids = found[n]?.ids() ?? new Int32Array();
      const isSeparate = ids.length >= 2 && ids.at(-1) === letter;
      const isDropped = ids.length === letters.length && letters.every((id, at) => id === ids[at]);
      const effect = isSeparate ? EFFECT.separate : isDropped ? EFFECT.dropped : EFFECT.kept;
      this.#effects[character.codePointAt(0) ?? 0] = effect;
    }
  }

  async #probes(): Promise<[letter: number, letters: number[]]> {
    if (this.#letter === undefined || this.#letters === undefined) {
      const [letter, letters] = await this.#ask(['a', 'aa']);
      this.#letter = [...(letter?.ids() ?? [])];
      this.#letters = [...(letters?.ids() ?? [])];
    }
    return [this.#letter[0] ?? -1, this.#letters];
  }

  async #append(parts: readonly Part[], tokens: TokenColumns): Promise<void> {
    const texts = [...new Set(parts.flatMap(({ text }) => text ?? []))];
    const found = await this.#ask(texts);
    const known = new Map(texts.map((text, n) => [text, found[n]]));
    for (const { text, places, end } of parts) {
      if (text === undefined) {
        for (const id of await this.#unknownTokens()) tokens.push(id, places[0] ?? 0, end);
        continue;
      }
      const slice = known.get(text);
      if (slice === undefined) continue;
      const ids = slice.ids();
      const offsets = slice.offsets();
      for (const [n, id] of ids.entries()) {
        const first = places[offsets[2 * n] ?? 0] ?? end;
        const last = (places[(offsets[2 * n + 1] ?? 0) - 1] ?? end - 1) + 1;
        tokens.push(id, first, last);
      }
    }
  }

  async #unknownTokens(): Promise<number[]> {
    if (this.#unknown === undefined) {
      const [tooLong] = await this.#ask(['a'.repeat(this.#rules.maxWordCharacters + 1)]);
      this.#unknown = [...(tooLong?.ids() ?? [])];
    }
    return this.#unknown;
  }

  async #ask(words: readonly string[]): Promise<TokenSlice[]> {
    const pages = pagesOf(words);
    const encodings = await this.#encodeNatively(pages.map((page) => page.join(' ')));
    return pages.flatMap((page, n) => {
      const encoding = encodings[n];
      return encoding === undefined ? [] : wordsOfPage(encoding, page);
    });
  }
}

const whole = (text: string, start: number): Part => ({
  text,
  places: Array.from({ length: text.length }, (_, n) => start + n),
  end: start + text.length,
});
