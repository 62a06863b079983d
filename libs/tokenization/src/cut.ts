import { GAP, gapBefore, startsPhrase, trimRange } from './characters.ts';
import { contentEnd, END, endBefore } from './content-borders.ts';
import { at, chunkLimit, type ChunkEnd, type CutLimits, type Cutting } from './cutting.ts';

/**
 * Tokens `from` to `to`, which represent characters `start` to `end` (UTF-16 units) without surrounding white space.
 */
export interface Cut {
  from: number;
  to: number;
  start: number;
  end: number;
}

/** The sentence finder reads this far beyond a chunk's limit, to see whether the limit itself starts a sentence. */
const LOOK_AHEAD = 64;

const sentences = new Intl.Segmenter('en', { granularity: 'sentence' });

/**
 * Cuts a tokenized text into chunks, one by one; pure and linear. `starts` has each token's first character, never
 * decreasing.
 *
 * - Every character that is not white space is in a chunk; every chunk ends later than the one before.
 * - A chunk ends at the last paragraph (or sentence, by `boundary`) that ends in its second half, else at the last
 *   line, else at the last word; within a word only if the word alone is longer than a chunk. With the boundary
 *   `content`, the text's content selects one of these ends: see `contentEnd`.
 * - A chunk starts at a word, and if possible not with closing or ending punctuation such as ， and ）. It repeats at
 *   most `overlap` tokens, fewer if a word or a phrase would be cut.
 */
export function* cutChunks(text: string, starts: Int32Array, limits: CutLimits): Generator<Cut, undefined> {
  const count = starts.length;
  const overlap = Math.min(limits.overlap, limits.capacity >> 1);
  const cutting: Cutting = { ...limits, overlap, text, starts };
  let isEmpty = true;
  let from = 0;
  let done = 0;
  while (done < count) {
    let end = chunkEnd(cutting, from, done);
    if (end.insideWord && from < done) {
      from = done;
      end = chunkEnd(cutting, from, done);
    }
    const cut = cutOf(text, starts, from, end.to);
    // Some tokenizers have tokens for white space; a chunk of only these is dropped.
    if (cut.start < cut.end) {
      isEmpty = false;
      yield cut;
    }
    const next = overlapStart(cutting, from, end.to, overlap);
    done = end.to;
    from = chunkLimit(cutting, next) > done ? next : done;
  }
  if (isEmpty) yield cutOf(text, starts, 0, count);
}

/** The end of the chunk that starts at `from`; after token `done`, where the previous chunk ended. */
function chunkEnd(cutting: Cutting, from: number, done: number): ChunkEnd {
  const { text, starts, capacity, boundary } = cutting;
  if (boundary === undefined || boundary === 'content') return contentEnd(cutting, from, done);
  const limit = chunkLimit(cutting, from);
  if (limit === starts.length) return { to: limit, insideWord: false };
  const half = Math.min(Math.max(from + Math.ceil(capacity / 2), done + 1), limit);

  const latest: (number | undefined)[] = [];
  for (let token = limit; token >= half; token -= 1) {
    latest[gapBefore(text, at(starts, token))] ??= token;
    if (latest[GAP.paragraph] !== undefined) break;
  }
  const [, punctuation, spaceless, space, line, paragraph] = latest;
  const word = maxOf(space, line, paragraph);
  if (boundary === 'paragraph' && paragraph !== undefined) return { to: paragraph, insideWord: false };
  if (boundary !== 'word') {
    const sentence =
      maxOf(sentenceStart(cutting, half, limit), paragraph) ?? clauseEnd(cutting, half, limit) ?? line;
    if (sentence !== undefined) return { to: sentence, insideWord: false };
  }
  const phrase = spaceless === undefined ? undefined : phraseStart(cutting, half, spaceless);
  if (phrase !== undefined && line === undefined && paragraph === undefined)
    return { to: phrase, insideWord: false };
  if (word !== undefined) return { to: word, insideWord: false };
  if (spaceless !== undefined) return { to: spaceless, insideWord: false };
  for (let token = half - 1; token > done && token > from; token -= 1) {
    if (gapBefore(text, at(starts, token)) >= GAP.spaceless) return { to: token, insideWord: false };
  }
  return { to: punctuation ?? limit, insideWord: true };
}

/** The last token in [half, limit] that starts a sentence. */
function sentenceStart({ text, starts }: Cutting, half: number, limit: number): number | undefined {
  const windowStart = at(starts, half - 1);
  const limitStart = at(starts, limit);
  // A line's end alone does not end a sentence, because texts may have wrapped lines.
  const window = text.slice(windowStart, limitStart + LOOK_AHEAD).replace(/[\r\n]/g, ' ');
  const found = sentences.segment(window).containing(limitStart - windowStart);
  if (found === undefined || found.index === 0) return undefined;
  const token = firstFrom(starts, half, limit, windowStart + found.index);
  return token !== undefined && gapBefore(text, at(starts, token)) !== GAP.none ? token : undefined;
}

/** The last token in [half, limit] after punctuation that ends a clause, as 。 ends a sentence. */
function clauseEnd({ text, starts }: Cutting, half: number, limit: number): number | undefined {
  for (let token = limit; token >= half; token -= 1) {
    const position = at(starts, token);
    if (gapBefore(text, position) === GAP.spaceless && endBefore(text, position) !== END.none) return token;
  }
  return undefined;
}

/** The last token in [half, limit] that starts a phrase in a script without spaces. */
function phraseStart({ text, starts }: Cutting, half: number, limit: number): number | undefined {
  for (let token = limit; token >= half; token -= 1) {
    const position = at(starts, token);
    if (gapBefore(text, position) === GAP.spaceless && startsPhrase(text, position)) return token;
  }
  return undefined;
}

/** The first token of [low, high] that starts at or after a character. */
function firstFrom(starts: Int32Array, low: number, high: number, character: number): number | undefined {
  let end = high + 1;
  while (low < end) {
    const middle = (low + end) >> 1;
    if (at(starts, middle) < character) low = middle + 1;
    else end = middle;
  }
  return low <= high ? low : undefined;
}

/**
 * The start of the next chunk: at most `overlap` tokens back, at a word, or at a phrase in scripts without spaces;
 * within one only if it is being cut anyway.
 */
function overlapStart({ text, starts }: Cutting, from: number, to: number, overlap: number): number {
  const target = Math.max(to - overlap, from + 1);
  if (to >= starts.length) return to;
  for (let token = target; token < to; token += 1) {
    if (startsPhrase(text, at(starts, token))) return token;
  }
  if (startsPhrase(text, at(starts, to))) return to;
  for (let token = target; token < to; token += 1) {
    if (gapBefore(text, at(starts, token)) >= GAP.spaceless) return token;
  }
  if (gapBefore(text, at(starts, to)) >= GAP.spaceless) return to;
  let whole = target;
  while (whole < to && at(starts, whole) === at(starts, whole - 1)) whole += 1;
  return whole;
}

function cutOf(text: string, starts: Int32Array, from: number, to: number): Cut {
  const start = from === 0 ? 0 : at(starts, from);
  const end = to === starts.length ? text.length : at(starts, to);
  return { from, to, ...trimRange(text, start, end) };
}

function maxOf(...tokens: (number | undefined)[]): number | undefined {
  let most: number | undefined;
  for (const token of tokens) if (token !== undefined && (most === undefined || token > most)) most = token;
  return most;
}
