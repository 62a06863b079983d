import type { Block } from '@embedmill/jobs';
import { GAP, gapBefore, isSpace, startsPhrase } from './characters.ts';
import { at, chunkLimit, type ChunkEnd, type Cutting } from './cutting.ts';

/**
 * The minimum share of a chunk's room that it fills. A lower value makes borders realign sooner after an edit, a higher
 * one makes fewer chunks: at 0.4, chunks are seven tenths full on average.
 */
const LEAST_FILL = 0.4;
/** The number of characters before a border that are hashed. */
const CONTEXT = 64;
/** The maximum number of characters between two sentences: quotes, brackets, white space. */
const LONGEST_GAP = 64;

const sentences = new Intl.Segmenter('en', { granularity: 'sentence' });

/**
 * The end of the chunk that starts at `from`, whose tokens before `done` repeat the previous chunk: content-defined
 * chunking, as in LBFS (Muthitacharoen et al., 2001) and FastCDC (Xia et al., 2016), over sentences instead of bytes.
 *
 * Candidates are the places in the last six tenths of the room after `done` that have the best available kind: ends of
 * paragraphs, of sentences, other full stops, ends of lines, of phrases in scripts without spaces, of words. The one
 * with the greatest hash wins. The hash covers the characters directly before a place, so two versions of a text, cut
 * from different starts, make the same choice wherever both can, and have the same chunks from their first common
 * border on: an edit changes one or two of them.
 */
export function contentEnd(cutting: Cutting, from: number, done: number): ChunkEnd {
  const { starts, capacity, overlap } = cutting;
  const whole = chunkLimit(cutting, from);
  if (whole === starts.length) return { to: whole, insideWord: false };
  const room = capacity - overlap;
  const limit = Math.min(whole, chunkLimit(cutting, done, room));
  const least = Math.min(done + Math.max(1, Math.ceil(LEAST_FILL * room)), limit);

  const paragraphs: number[] = [];
  const ends: number[] = [];
  for (let token = least; token <= limit; token += 1) {
    const end = endIn(cutting, at(starts, token));
    if (end === END.paragraph) paragraphs.push(token);
    else if (end === END.sentence) ends.push(token);
  }
  // A full stop before a lower-case letter does not end a sentence, unless the whole text is in lower case.
  const good = chosen(cutting, paragraphs) ?? chosenSentence(cutting, ends) ?? chosen(cutting, ends);
  return good === undefined
    ? otherEnd(cutting, { from, done, least, limit, whole })
    : { to: good, insideWord: false };
}

/** The end of a chunk without an end of a paragraph or a sentence: at a line, a word, or within a word. */
function otherEnd(
  cutting: Cutting,
  { from, done, least, limit, whole }: Record<'from' | 'done' | 'least' | 'limit' | 'whole', number>,
): ChunkEnd {
  const { text, starts } = cutting;
  const kinds: number[][] = [[], [], [], [], [], []];
  for (let token = least; token <= limit; token += 1) kinds[gapBefore(text, at(starts, token))]?.push(token);
  const [none = [], punctuation = [], spaceless = [], space = [], line = []] = kinds;
  const phrases = spaceless.filter((token) => startsPhrase(text, at(starts, token)));
  const word =
    chosen(cutting, line) ?? chosen(cutting, phrases) ?? chosen(cutting, space) ?? chosen(cutting, spaceless);
  if (word !== undefined) return { to: word, insideWord: false };
  for (let token = least - 1; token > done && token > from; token -= 1) {
    if (gapBefore(text, at(starts, token)) >= GAP.spaceless) return { to: token, insideWord: false };
  }
  for (let token = limit + 1; token <= whole; token += 1) {
    if (gapBefore(text, at(starts, token)) >= GAP.spaceless) return { to: token, insideWord: false };
  }
  // Several tokens can represent one character, which must not be split.
  const between = none.filter((token) => at(starts, token) !== at(starts, token - 1));
  const inside = chosen(cutting, punctuation) ?? chosen(cutting, between) ?? limit;
  return { to: inside, insideWord: true };
}

/** The token with the greatest hash before it; the last one wins a tie. */
function chosen({ text, starts }: Cutting, tokens: readonly number[]): number | undefined {
  let best: number | undefined;
  let most = -1;
  for (const token of tokens) {
    const hash = hashBefore(text, at(starts, token));
    if (hash < most) continue;
    most = hash;
    best = token;
  }
  return best;
}

/** Of the tokens that may start a sentence, the one with the greatest hash that really does. */
function chosenSentence(cutting: Cutting, tokens: number[]): number | undefined {
  const { text, starts } = cutting;
  for (let left = tokens; left.length > 0;) {
    const best = chosen(cutting, left);
    if (best === undefined || startsSentence(text, at(starts, best))) return best;
    left = left.filter((token) => token !== best);
  }
  return undefined;
}

/** What ends directly before a position: in a table a row, in code a line or a group of lines. */
function endIn({ text, blocks }: Cutting, position: number): (typeof END)[keyof typeof END] {
  const block = blockAround(blocks, position);
  if (block === undefined) return endBefore(text, position);
  const gap = gapBefore(text, position);
  if (gap === GAP.paragraph || (gap === GAP.line && block.kind === 'table')) return END.paragraph;
  return gap === GAP.line ? END.sentence : END.none;
}

/** The block that continues at a position. */
function blockAround(blocks: Cutting['blocks'] = [], position: number): Block | undefined {
  let [low, high] = [0, blocks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((blocks[middle]?.end ?? 0) <= position) low = middle + 1;
    else high = middle;
  }
  const found = blocks[low];
  return found !== undefined && found.start < position ? found : undefined;
}

export const END = { none: 0, sentence: 1, paragraph: 2 } as const;

/** What appears to end directly before a position, ignoring closing quotes and white space. */
export function endBefore(text: string, position: number): (typeof END)[keyof typeof END] {
  const first = Math.max(0, position - LONGEST_GAP);
  let before = position - 1;
  let kind = markOf(text.charCodeAt(before));
  if (kind === MARK.other) return END.none;
  const isSpaced = kind === MARK.space;
  let lines = 0;
  for (; before >= first && kind === MARK.space; kind = markOf(text.charCodeAt((before -= 1)))) {
    const unit = text.charCodeAt(before);
    if (unit === 0x0a) lines += 1;
    else if (unit === 0x2029) lines = 2;
    if (lines >= 2) return END.paragraph;
  }
  while (before >= first && kind === MARK.closing) kind = markOf(text.charCodeAt((before -= 1)));
  if (before < first || kind !== MARK.terminal) return END.none;
  return isSpaced || gapBefore(text, position) >= GAP.spaceless ? END.sentence : END.none;
}

const MARK = { unknown: 0, other: 1, space: 2, closing: 3, terminal: 4 } as const;
type Mark = (typeof MARK)[keyof typeof MARK];
/** Ends of sentences, and of the long clauses that Chinese uses instead; a real end of a sentence is preferred. */
const TERMINAL = /[\p{Sentence_Terminal}；﹔…‥]/u;
const CLOSING = /["'\p{Pe}\p{Pf}\p{Pi}]/u;

/** The cached kinds of units, because a text needs them millions of times. */
const marks = new Uint8Array(0x10000);

function markOf(unit: number): Mark {
  const known = marks[unit] as Mark | undefined;
  if (known === undefined) return MARK.other;
  if (known !== MARK.unknown) return known;
  const character = String.fromCharCode(unit);
  const mark = isSpace(unit)
    ? MARK.space
    : TERMINAL.test(character)
      ? MARK.terminal
      : CLOSING.test(character)
        ? MARK.closing
        : MARK.other;
  marks[unit] = mark;
  return mark;
}

/**
 * By Unicode's rules (UAX #29), except that a line's end alone does not end a sentence, because texts may have wrapped
 * lines.
 */
function startsSentence(text: string, position: number): boolean {
  const unit = text.charCodeAt(position) | 0x20;
  // After white space, ASCII letters are the usual case, with simple rules.
  if (unit >= 0x61 && unit <= 0x7a && isSpace(text.charCodeAt(position - 1))) {
    return text.charCodeAt(position) !== unit || !followsFullStop(text, position);
  }
  const from = Math.max(0, position - CONTEXT);
  const near = text.slice(from, position + CONTEXT).replace(/[\r\n]/g, ' ');
  return sentences.segment(near).containing(position - from)?.index === position - from;
}

/** Whether the sentence may continue in lower case: not after "!" and "?". */
function followsFullStop(text: string, position: number): boolean {
  let before = position - 1;
  while (before > 0 && markOf(text.charCodeAt(before)) !== MARK.terminal) before -= 1;
  return FULL_STOPS.includes(text.charAt(before));
}
/** Unicode's ATerm. */
const FULL_STOPS = '.\u2024\ufe52\uff0e';

/** A hash of the characters before a position, ignoring white space directly before it, from 0 to 2^32 − 1. */
function hashBefore(text: string, position: number): number {
  let end = position;
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end -= 1;
  let hash = 0x811c9dc5 | 0;
  for (let n = Math.max(0, end - CONTEXT); n < end; n += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193);
  }
  // FNV's high bits depend mostly on the last characters, so the hash is mixed with MurmurHash3's finaliser.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
