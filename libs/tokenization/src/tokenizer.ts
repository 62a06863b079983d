import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Tokenizer as NativeTokenizer } from 'tokenizers';
import { EmbedmillError, type Role, type TextToken } from '@embedmill/jobs';
import { nativeEncoding, type PlainEncoding } from './encoding.ts';
import { prefixLength } from './known-tokens.ts';
import {
  framePair,
  pairFrameOf,
  specialTokensOf,
  type EncodedPair,
  type PairFrame,
  type Part,
} from './pairs.ts';
import { nativePieceRules, wordPieceRules } from './piece-rules.ts';
import { piecesOf, type Piece, type PieceRules } from './pieces.ts';
import { SpacedWords, type SpacedWordRules } from './spaced-words.ts';
import { OUTSIDE, placedTokens, tokenRanges } from './token-ranges.ts';
import { readTokenizer } from './tokenizer-file.ts';
import type { WordRules } from './word-rules.ts';
import { Words } from './words.ts';

export interface TokenizerOptions {
  /** A Hugging Face tokenizer.json; gzipped if its name ends in .gz. */
  path: string;
  /** The maximum number of tokens that the model reads, including special tokens. */
  maxTokens: number;
  /** Prepended to every document, as in the model's training; usually ends with a space. */
  documentPrefix?: string;
  /** Prepended to every query. */
  queryPrefix?: string;
}

/** The prefix of a text, and its tokens without those of trailing white space, which belongs to the text. */
export interface Prefix {
  readonly text: string;
  readonly ids: readonly number[];
}

export interface EncodedText {
  /** Including special tokens and prefix; at most `maxTokens`. */
  ids: Int32Array;
  /**
   * Only if requested: for each token its first character and one past its last in the text, as consecutive pairs, in
   * UTF-16 units; -1 for special tokens and prefix.
   */
  offsets?: Int32Array;
  /** The text's number of tokens before truncation, including special tokens and prefix. */
  tokens: number;
  truncated: boolean;
}

/** The special tokens around every text, and the tokens without meaning. */
interface Frame {
  start: number[];
  end: number[];
  pairs: PairFrame;
  prefixes: Record<Role, number[]>;
  blank: ReadonlySet<number>;
}

/** The beginning of a text. */
interface ReadText extends Part {
  kept: number[];
  /** The offsets of the kept tokens; empty if not requested. */
  ranges: number[];
}

/**
 * The native tokenizer processes a batch on all cores, and is fastest from 64 texts on. An encoding takes about 500
 * bytes per token in memory, so a batch is also bounded in characters.
 */
const BATCH_TEXTS = 256;
const BATCH_CHARACTERS = 1 << 19;
/** Words are processed on this thread: this much takes a millisecond, or somewhat more if most words are new. */
const WORDS_CHARACTERS = 1 << 15;

/**
 * Text → token ids for one model. Safe to share: after `load`, it only caches words, which changes no result. The
 * truncation and padding in the tokenizer.json are disabled: texts are truncated here, so that it can be reported, and
 * batches are padded where they are built. Works for any tokenizer.json (WordPiece, BPE, Unigram): the special tokens
 * around texts are found by querying the tokenizer, not by name. If words are independent of one another, texts are
 * encoded by `Words` (like BERT's, at a tenth of the cost) or `SpacedWords` (like XLM-R's).
 */
export class Tokenizer {
  readonly maxTokens: number;
  readonly documentPrefix: string;
  readonly queryPrefix: string;
  /** The special tokens before every text, such as [CLS]. */
  readonly start: readonly number[];
  /** The special tokens after every text, such as [SEP]. */
  readonly end: readonly number[];
  /** The prefix of each role as tokens, without trailing white space, which belongs to the text. */
  readonly prefixes: Readonly<Record<Role, readonly number[]>>;
  readonly #blank: ReadonlySet<number>;
  readonly #pairs: PairFrame;
  readonly #native: NativeTokenizer;
  readonly #words: Words | SpacedWords | undefined;
  readonly #pieces: PieceRules;

  private constructor(
    native: NativeTokenizer,
    words: { rules: WordRules | undefined; spaced: SpacedWordRules | undefined },
    pieces: PieceRules,
    frame: Frame,
    options: TokenizerOptions,
  ) {
    this.#native = native;
    this.#pieces = pieces;
    this.#words = this.#wordsBy(words.rules, words.spaced);
    this.start = frame.start;
    this.end = frame.end;
    this.prefixes = frame.prefixes;
    this.#blank = frame.blank;
    this.#pairs = frame.pairs;
    this.maxTokens = options.maxTokens;
    this.documentPrefix = options.documentPrefix ?? '';
    this.queryPrefix = options.queryPrefix ?? '';
  }

  /** Throws `model_unavailable` if the file cannot be read, and `model_corrupt` if it is not a tokenizer.json. */
  static async load(options: TokenizerOptions): Promise<Tokenizer> {
    const { native, rules, spaced, added, blank } = await readTokenizer(options.path);
    native.disableTruncation();
    native.disablePadding();
    const probe = await native.encode('a', null, { addSpecialTokens: true });
    const ids = probe.getIds();
    const special = probe.getSpecialTokensMask();
    const first = special.indexOf(0);
    const last = special.lastIndexOf(0);
    if (first === -1) {
      throw new EmbedmillError('model_corrupt', `${options.path}: the tokenizer gives no token for a text`);
    }
    const pairs = await pairFrameOf(native);
    const prefixes = {
      query: await prefixIds(native, options.queryPrefix),
      document: await prefixIds(native, options.documentPrefix),
    };
    const frame = { start: ids.slice(0, first), end: ids.slice(last + 1), pairs, prefixes, blank };
    if (options.maxTokens <= frame.start.length + frame.end.length) {
      throw new EmbedmillError(
        'model_corrupt',
        `${options.path}: maxTokens ${options.maxTokens} leaves no room for text besides special tokens; correct the model's entry`,
      );
    }
    const pieces = rules === undefined ? await nativePieceRules(native, added) : wordPieceRules(rules);
    return new Tokenizer(native, { rules, spaced }, pieces, frame, options);
  }

  /**
   * The token ids of each text in the given order, prefixed for its role or as requested, and truncated to `maxTokens`.
   * A text that is too long keeps its start, or, if requested, its end after the prefix.
   */
  async encode(
    texts: readonly string[],
    role: Role | Prefix,
    options: { offsets?: boolean; keep?: 'start' | 'end' | undefined } = {},
  ): Promise<EncodedText[]> {
    const prefix = this.prefixFor(role);
    const room = this.maxTokens - this.start.length - this.end.length;
    const most = options.keep === 'end' ? Infinity : room;
    const read = await this.#readUpTo(texts, prefix.text, most, options.offsets === true);
    return read.map((one) => {
      const { kept, ranges, length } = this.#endOf(one, prefix, room);
      const tokens = this.start.length + length + this.end.length;
      return {
        ids: this.frame([], kept),
        ...(options.offsets === true ? { offsets: this.#frameOffsets(ranges) } : {}),
        tokens,
        truncated: tokens > this.maxTokens,
      };
    });
  }

  /**
   * A query paired with each of the texts in the given order: prefixed, with the tokenizer's special tokens for pairs,
   * and truncated to `maxTokens`; see `framePair` for how.
   */
  async encodePairs(
    query: string,
    texts: readonly string[],
    maxTokens = this.maxTokens,
  ): Promise<EncodedPair[]> {
    const room = Math.max(0, Math.min(maxTokens, this.maxTokens) - specialTokensOf(this.#pairs));
    const [first] = await this.#readUpTo([query], this.queryPrefix, room, false);
    if (first === undefined) return [];
    const seconds = await this.#readUpTo(texts, this.documentPrefix, room, false);
    return seconds.map((second) => ({
      ...framePair(this.#pairs, first, second, room),
      unknown: !this.#knowsAfter(second.kept, prefixLength(second.kept, 0, this.prefixes.document)),
    }));
  }

  /**
   * A client's token ids, prefixed and framed like texts, and truncated to `maxTokens` within the frame. Surrounding
   * special tokens in the input make no difference.
   */
  encodeIds(given: readonly number[], role: Role | Prefix, keep: 'start' | 'end' = 'start'): EncodedText {
    const { start, end } = this;
    const from = start.length > 0 && start.every((id, n) => given[n] === id) ? start.length : 0;
    const tail = given.slice(Math.max(from, given.length - end.length));
    const to =
      tail.length > 0 && end.every((id, n) => tail[n] === id) ? given.length - end.length : undefined;
    const prefix = this.prefixFor(role).ids;
    const body = given.slice(from, to);
    const room = Math.max(0, this.maxTokens - start.length - end.length - prefix.length);
    const kept = keep === 'end' ? body.slice(Math.max(0, body.length - room)) : body.slice(0, room);
    const tokens = start.length + prefix.length + body.length + end.length;
    return { ids: this.frame(prefix, kept), tokens, truncated: body.length > room };
  }

  /** Whether any token of a framed text, apart from the prefix, has a meaning; otherwise its vector is meaningless. */
  knows(ids: ArrayLike<number>, role: Role | Prefix): boolean {
    const first = this.start.length + prefixLength(ids, this.start.length, this.prefixFor(role).ids);
    return this.#knowsAfter(ids, first, ids.length - this.end.length);
  }

  #knowsAfter(ids: ArrayLike<number>, from: number, to = ids.length): boolean {
    for (let at = from; at < to; at += 1) if (this.knowsToken(ids[at] ?? 0)) return true;
    return false;
  }

  /** Like `knows`, for one token. */
  knowsToken(id: number): boolean {
    return !this.#blank.has(id);
  }

  /** The prefix and the last tokens of a text that was read whole; the text itself if everything fits. */
  #endOf(read: ReadText, prefix: Prefix, room: number): ReadText {
    const { kept, ranges } = read;
    if (kept.length <= room) return read;
    const head = prefixLength(kept, 0, prefix.ids);
    const from = kept.length - Math.max(0, room - head);
    return {
      ...read,
      kept: [...kept.slice(0, head), ...kept.slice(from)].slice(0, room),
      ranges: [...ranges.slice(0, 2 * head), ...ranges.slice(2 * from)].slice(0, 2 * room),
    };
  }

  /** The head for a given prefix, which replaces the role's. */
  async prefixOf(text: string): Promise<Prefix> {
    return { text, ids: await prefixIds(this.#native, text) };
  }

  /** The head of a role's texts, or of a given prefix. */
  prefixFor(role: Role | Prefix): Prefix {
    if (typeof role !== 'string') return role;
    return { text: role === 'query' ? this.queryPrefix : this.documentPrefix, ids: this.prefixes[role] };
  }

  /** A text in pieces that have, encoded separately, the tokens of the whole text. Throws `word_too_long`. */
  piecesOf(text: string, limit?: number): Piece[] {
    return piecesOf(text, this.#pieces, limit);
  }

  /** The first tokens of each prefixed text, at most `room`, and its total number of tokens. */
  async #readUpTo(
    texts: readonly string[],
    prefix: string,
    room: number,
    withRanges: boolean,
  ): Promise<ReadText[]> {
    const pieces = texts.map((text) => this.piecesOf(prefix + text));
    const encodings = this.encodePlain(pieces.flat().map(({ text }) => text));
    const read: ReadText[] = [];
    for (const own of pieces) {
      const kept: number[] = [];
      const ranges: number[] = [];
      let length = 0;
      for (const piece of own) {
        const { value } = await encodings.next();
        if (value === undefined) break;
        length += value.length;
        const count = Math.min(value.length, room - kept.length);
        if (count === 0) continue;
        const ids = value.ids();
        for (let at = 0; at < count; at += 1) kept.push(ids[at] ?? 0);
        if (!withRanges) continue;
        const start = piece.start - prefix.length;
        for (const at of tokenRanges({ text: piece.text, start }, value.offsets()).subarray(0, 2 * count)) {
          ranges.push(at);
        }
      }
      read.push({ kept, ranges, length });
    }
    return read;
  }

  /**
   * The encodings of texts without prefix, one by one in the given order. While one batch is read, the native
   * tokenizer's threads encode the next.
   */
  async *encodePlain(texts: readonly string[]): AsyncGenerator<PlainEncoding, undefined> {
    let from = 0;
    const startBatch = () => {
      const batch = batchFrom(texts, from, this.#words === undefined ? BATCH_CHARACTERS : WORDS_CHARACTERS);
      if (batch.length === 0) return undefined;
      from += batch.length;
      const encodings = this.#encodeBatch(batch);
      // The reader may stop before it reaches this batch.
      encodings.catch(() => undefined);
      return encodings;
    };
    let batch = startBatch();
    while (batch !== undefined) {
      const encodings = await batch;
      if (from < texts.length && this.#words !== undefined) await nextTurn();
      batch = startBatch();
      for (const encoding of encodings) yield encoding;
    }
  }

  #wordsBy(
    rules: WordRules | undefined,
    spaced: SpacedWordRules | undefined,
  ): Words | SpacedWords | undefined {
    const encodeNatively = (texts: string[]) => this.#encodeNatively(texts);
    if (rules !== undefined) return new Words(rules, encodeNatively);
    if (spaced === undefined) return undefined;
    return new SpacedWords(spaced, this.#native.tokenToId('\u2581') ?? undefined, encodeNatively);
  }

  #encodeBatch(texts: string[]): Promise<PlainEncoding[]> {
    const words = this.#words;
    return words !== undefined && texts.every((text) => words.canEncode(text))
      ? words.encode(texts)
      : this.#encodeNatively(texts);
  }

  async #encodeNatively(texts: string[]): Promise<PlainEncoding[]> {
    const encodings = await this.#native.encodeBatch(texts, { addSpecialTokens: false });
    return encodings.map((encoding, n) => nativeEncoding(encoding, texts[n] ?? ''));
  }

  /** The text that these ids represent, with special tokens left out or written by name. */
  decode(ids: readonly number[], { special = false }: { special?: boolean } = {}): Promise<string> {
    return this.#native.decode([...ids], !special);
  }

  /**
   * Each text's tokens without truncation, with the same ids as from `encode`, and if requested with the special tokens
   * around them. Positions are bytes (UTF-8) of the prefixed text.
   */
  async tokensOf(texts: readonly string[], prefix: Prefix, special: boolean): Promise<TextToken[][]> {
    const whole = texts.map((text) => prefix.text + text);
    const read = await this.#readUpTo(whole, '', Infinity, true);
    const around = (ids: readonly number[]) => (special ? ids : []).map((id) => this.#specialToken(id));
    return read.map(({ kept, ranges }, n) => [
      ...around(this.start),
      ...placedTokens(whole[n] ?? '', kept, ranges),
      ...around(this.end),
    ]);
  }

  #specialToken(id: number): TextToken {
    return { id, text: this.tokenText(id) ?? '', special: true, start: null, stop: null };
  }

  /** A token as written in the vocabulary, such as `##ing`; undefined for an unknown id. */
  tokenText(id: number): string | undefined {
    return this.#native.idToToken(id) ?? undefined;
  }

  /** Start tokens, then `head`, then `body`, then end tokens. */
  frame(head: ArrayLike<number>, body: ArrayLike<number>): Int32Array {
    const ids = new Int32Array(this.start.length + head.length + body.length + this.end.length);
    ids.set(this.start);
    ids.set(head, this.start.length);
    ids.set(body, this.start.length + head.length);
    ids.set(this.end, ids.length - this.end.length);
    return ids;
  }

  #frameOffsets(ranges: ArrayLike<number>): Int32Array {
    const before = 2 * this.start.length;
    const offsets = new Int32Array(before + ranges.length + 2 * this.end.length).fill(OUTSIDE);
    offsets.set(ranges, before);
    return offsets;
  }
}

async function prefixIds(native: NativeTokenizer, prefix = ''): Promise<number[]> {
  return (await native.encode(prefix.trimEnd(), null, { addSpecialTokens: false })).getIds();
}

/** The batch that starts with text `from`: at least one text, if there is one. */
function batchFrom(texts: readonly string[], from: number, mostCharacters: number): string[] {
  let to = from;
  let characters = 0;
  while (to < texts.length && to - from < BATCH_TEXTS && characters < mostCharacters) {
    characters += texts[to]?.length ?? 0;
    to += 1;
  }
  return texts.slice(from, to);
}
