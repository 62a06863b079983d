import { setImmediate as nextTurn } from 'node:timers/promises';
import { EmbedmillError, type Block, type Chunking } from '@embedmill/jobs';
import { isSpace, trimRange } from './characters.ts';
import { cutChunks } from './cut.ts';
import { maxCharacters } from './cutting.ts';
import type { PlainEncoding } from './encoding.ts';
import type { Piece } from './pieces.ts';
import { tokenStarts } from './token-starts.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface ChunkableDocument {
  text: string;
  title?: string | undefined;
  /** Its tables and code. */
  blocks?: readonly Block[] | undefined;
}

/** The model's input for one point: characters `start` to `end` (UTF-16 units) of the document's text. */
export interface Chunk {
  /** Start tokens, prefix, title, the chunk's own tokens, end tokens. */
  ids: Int32Array;
  start: number;
  end: number;
  /** The headings above it, if the document's structure is known. */
  headings?: readonly string[];
}

export interface ChunkedDocument {
  /** At least one. A text without any tokens has one chunk without text tokens. */
  chunks: Chunk[];
  /** The document's tokens if it were one chunk: special tokens, prefix, title and text, before truncation. */
  tokens: number;
  /** Whether part of the title or the text was left out; `message` says which. */
  truncated: boolean;
  message?: string;
  /** Why the document cannot be encoded; it then has no chunks. */
  error?: EmbedmillError;
}

/** The limit of the title, which precedes every chunk and must not crowd out the text. */
const MAX_TITLE_TOKENS = 64;
const MIN_TEXT_TOKENS = 4;

/** The work after which the event loop gets a turn, about 10 ms. */
const TURN_TOKENS = 16_384;
const TURN_CHUNKS = 256;

/**
 * Documents → chunks of token ids, in the given order. Texts that fit into one chunk are encoded in batches without
 * token offsets; longer ones are encoded in pieces and cut by `cutChunks`.
 *
 * Mode `tokens` keeps the whole text; mode `document` gives one chunk, and reports what did not fit. Chunks have at
 * most min(`size`, the model's limit) tokens, including everything. Throws `invalid_request` if that leaves no room for
 * text after the model's prefix.
 */
export async function chunkDocuments(
  tokenizer: Tokenizer,
  documents: readonly ChunkableDocument[],
  chunking: Chunking,
): Promise<ChunkedDocument[]> {
  const heads = await headsOf(tokenizer, documents, chunking);
  const pieces: Piece[] = [];
  const refused = new Map<number, EmbedmillError>();
  const lasts = documents.map(({ text }, n) => {
    const own = piecesOrError(tokenizer, text);
    if (own instanceof EmbedmillError) {
      refused.set(n, own);
      pieces.push({ text: '', start: 0 });
      return pieces.length - 1;
    }
    const [first] = own;
    if (first !== undefined && heads[n]?.spaced === true) own[0] = joinedToHead(first);
    pieces.push(...own);
    return pieces.length - 1;
  });

  const chunked: ChunkedDocument[] = [];
  let reading: DocumentReading | undefined;
  let next = 0;
  let tokens = 0;
  for await (const encoding of tokenizer.encodePlain(pieces.map(({ text }) => text))) {
    const { text, blocks } = documents[chunked.length] ?? { text: '' };
    const head = heads[chunked.length] ?? EMPTY;
    const isLast = next === lasts[chunked.length];
    if (reading === undefined && isLast && isOneChunk(text, encoding, head)) {
      chunked.push(oneChunk(tokenizer, text, encoding, head));
    } else {
      reading ??= new DocumentReading(tokenizer, { text, blocks }, head, chunking);
      reading.add(pieces[next] ?? { text, start: 0 }, encoding);
      if (isLast) {
        chunked.push(await reading.finish());
        reading = undefined;
      }
    }
    next += 1;
    tokens += encoding.length;
    if (tokens > TURN_TOKENS) {
      await nextTurn();
      tokens = 0;
    }
  }
  for (const [n, error] of refused) chunked[n] = { chunks: [], tokens: 0, truncated: false, error };
  return chunked;
}

/** A document that cannot be cut fails alone. */
function piecesOrError(tokenizer: Tokenizer, text: string): Piece[] | EmbedmillError {
  try {
    return tokenizer.piecesOf(text);
  } catch (thrown) {
    if (thrown instanceof EmbedmillError) return thrown;
    throw thrown;
  }
}

/** What precedes each of a document's chunks. */
interface Head {
  ids: number[];
  /** The text tokens that fit after it. */
  capacity: number;
  /** Whether white space separates it from the text. */
  spaced: boolean;
  /** The number of title tokens that were left out. */
  cut: number;
}
const EMPTY: Head = { ids: [], capacity: 0, spaced: false, cut: 0 };

async function headsOf(
  tokenizer: Tokenizer,
  documents: readonly ChunkableDocument[],
  chunking: Chunking,
): Promise<Head[]> {
  const asked = chunking.mode === 'tokens' ? (chunking.size ?? tokenizer.maxTokens) : tokenizer.maxTokens;
  const size = Math.min(asked, tokenizer.maxTokens);
  const prefix = tokenizer.documentPrefix;
  const titled = documents.filter(hasTitle);
  const texts = [prefix, ...titled.map(({ title = '' }) => prefix + title)].map((text) => text.trimEnd());
  const encoded: number[][] = [];
  for await (const encoding of tokenizer.encodePlain(texts)) encoded.push(Array.from(encoding.ids()));

  const [prefixIds = []] = encoded;
  const room = size - tokenizer.start.length - tokenizer.end.length - prefixIds.length;
  if (room < MIN_TEXT_TOKENS) {
    throw new EmbedmillError(
      'invalid_request',
      `chunking/size: ${size} tokens leave ${Math.max(room, 0)} for the text after special tokens and the model's prefix; use at least ${size - room + MIN_TEXT_TOKENS}`,
    );
  }
  const untitled: Head = {
    ids: prefixIds,
    capacity: room,
    spaced: isSpace(prefix.charCodeAt(prefix.length - 1)),
    cut: 0,
  };
  const most = prefixIds.length + Math.min(MAX_TITLE_TOKENS, room >> 1);
  let next = 1;
  return documents.map((document) => {
    if (!hasTitle(document)) return untitled;
    const ids = encoded[next] ?? [];
    next += 1;
    const kept = ids.slice(0, most);
    const capacity = room - (kept.length - prefixIds.length);
    return { ids: kept, capacity, spaced: true, cut: ids.length - kept.length };
  });
}

const hasTitle = ({ title }: ChunkableDocument): boolean => title !== undefined && title.trim() !== '';

/**
 * Some tokenizers distinguish a word after a space from one at the start, so they must see the space after the head.
 */
function joinedToHead(piece: Piece): Piece {
  return { text: ` ${piece.text}`, start: piece.start - 1 };
}

const isOneChunk = (text: string, encoding: PlainEncoding, { capacity }: Head): boolean =>
  encoding.length <= capacity && text.length <= maxCharacters(capacity);

function oneChunk(tokenizer: Tokenizer, text: string, encoding: PlainEncoding, head: Head): ChunkedDocument {
  const ids = tokenizer.frame(head.ids, encoding.ids());
  const chunks = [{ ids, ...trimRange(text, 0, text.length) }];
  const tokens = ids.length + head.cut;
  return head.cut === 0
    ? { chunks, tokens, truncated: false }
    : { chunks, tokens, truncated: true, message: titleMessage(head) };
}

const titleMessage = ({ cut }: Head): string => `the title is too long; its last ${cut} tokens were dropped`;

/** A document with several chunks, or a truncated one: `add` its pieces' tokens in order, then `finish`. */
class DocumentReading {
  readonly #tokenizer: Tokenizer;
  readonly #text: string;
  readonly #blocks: readonly Block[] | undefined;
  readonly #head: Head;
  readonly #chunking: Chunking;
  readonly #ids: ArrayLike<number>[] = [];
  readonly #starts: Int32Array[] = [];
  #tokens = 0;

  constructor(
    tokenizer: Tokenizer,
    { text, blocks }: Pick<ChunkableDocument, 'text' | 'blocks'>,
    head: Head,
    chunking: Chunking,
  ) {
    this.#tokenizer = tokenizer;
    this.#text = text;
    this.#blocks = blocks;
    this.#head = head;
    this.#chunking = chunking;
  }

  add(piece: Piece, encoding: PlainEncoding): void {
    const { capacity } = this.#head;
    const isBeyondLimit = this.#chunking.mode === 'document' && this.#tokens > capacity;
    this.#tokens += encoding.length;
    if (isBeyondLimit) return;
    this.#ids.push(encoding.ids());
    this.#starts.push(tokenStarts(piece, encoding.offsets(), this.#starts.at(-1)?.at(-1) ?? 0));
  }

  async finish(): Promise<ChunkedDocument> {
    const { capacity, cut } = this.#head;
    const frame = this.#tokenizer.start.length + this.#tokenizer.end.length + this.#head.ids.length;
    const tokens = frame + cut + this.#tokens;
    const messages: string[] = [];
    if (cut > 0) messages.push(titleMessage(this.#head));
    if (this.#chunking.mode === 'document' && this.#tokens > capacity) {
      const { maxTokens } = this.#tokenizer;
      const end = this.#documentEnd();
      messages.push(
        `the text has ${tokens} tokens but the model reads ${maxTokens}; the part after character ${end} was not embedded`,
      );
    }
    const chunks = await this.#chunks();
    const truncated = messages.length > 0;
    return { chunks, tokens, truncated, ...(truncated ? { message: messages.join('; ') } : {}) };
  }

  async #chunks(): Promise<Chunk[]> {
    const { capacity } = this.#head;
    const ids = concatenate(this.#ids);
    if (this.#chunking.mode === 'document') {
      return [this.#chunk(ids.subarray(0, capacity), trimRange(this.#text, 0, this.#documentEnd()))];
    }
    const chunks: Chunk[] = [];
    const limits = { ...this.#chunking, capacity, blocks: this.#blocks };
    for (const cut of cutChunks(this.#text, concatenate(this.#starts), limits)) {
      chunks.push(this.#chunk(ids.subarray(cut.from, cut.to), cut));
      if (chunks.length % TURN_CHUNKS === 0) await nextTurn();
    }
    return chunks;
  }

  /** The end of the text that mode `document` embeds. */
  #documentEnd(): number {
    const { capacity } = this.#head;
    if (this.#tokens <= capacity) return this.#text.length;
    const first = concatenate(this.#starts)[capacity] ?? this.#text.length;
    return trimRange(this.#text, 0, first).end;
  }

  #chunk(ids: ArrayLike<number>, { start, end }: { start: number; end: number }): Chunk {
    return { ids: this.#tokenizer.frame(this.#head.ids, ids), start, end };
  }
}

function concatenate(parts: readonly ArrayLike<number>[]): Int32Array {
  const whole = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
