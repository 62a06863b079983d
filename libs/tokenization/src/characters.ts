/**
 * White space by UTF-16 unit, as tokenizers define it: Unicode's White_Space without U+0085 and U+FEFF, which BERT
 * deletes instead of splitting there.
 */
export function isSpace(unit: number): boolean {
  if (unit <= 0x20) return unit === 0x20 || (unit >= 0x09 && unit <= 0x0d);
  if (unit < 0xa0) return false;
  return (
    unit === 0xa0 ||
    unit === 0x1680 ||
    (unit >= 0x2000 && unit <= 0x200a) ||
    unit === 0x2028 ||
    unit === 0x2029 ||
    unit === 0x202f ||
    unit === 0x205f ||
    unit === 0x3000
  );
}

const KIND = { unknown: 0, word: 1, spaceless: 2, attached: 3, other: 4 } as const;
type Kind = (typeof KIND)[keyof typeof KIND];

/** Marks, joiners and variation selectors belong to the character before them. */
const ATTACHED = /[\p{M}\u200d]/u;
/** Scripts written without spaces: a word may end after any of their characters. */
const SPACELESS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\u3001-\u303f\uff00-\uff0f\uff1a-\uff20]/u;
const WORD = /[\p{L}\p{N}\p{Pc}]/u;

function kindOf(character: string): Kind {
  if (ATTACHED.test(character)) return KIND.attached;
  if (SPACELESS.test(character)) return KIND.spaceless;
  return WORD.test(character) ? KIND.word : KIND.other;
}

/** The cached kinds of characters in the basic plane, because a text needs them millions of times. */
const known = new Uint8Array(0x10000);

function kindOfCodePoint(point: number): Kind {
  if (point > 0xffff) return kindOf(String.fromCodePoint(point));
  const found = known[point];
  if (found !== undefined && found !== KIND.unknown) return found as Kind;
  const kind = kindOf(String.fromCharCode(point));
  known[point] = kind;
  return kind;
}

/**
 * Characters that must not begin a line, and so not a chunk: closing and ending punctuation, small Kana, and length and
 * repetition marks, by the rules of typesetting (UAX #14's classes CL, EX, IS and NS; JIS X 4051).
 */
const TRAILING =
  /[\p{Pe}\p{Pf}\p{Terminal_Punctuation}…‥·・ー～〜々〻ゝゞヽヾぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ％‰℃]/u;
/** Characters that must not end one. */
const OPENING = /[\p{Ps}\p{Pi}]/u;

const PLACE = { unknown: 0, any: 1, trailing: 2, opening: 3 } as const;
const places = new Uint8Array(0x10000);

/** Like `kindOfCodePoint`. No character beyond the basic plane has these kinds. */
function placeOf(point: number): number {
  const found = places[point] ?? PLACE.any;
  if (found !== PLACE.unknown) return found;
  const character = String.fromCharCode(point);
  const place = TRAILING.test(character)
    ? PLACE.trailing
    : OPENING.test(character)
      ? PLACE.opening
      : PLACE.any;
  places[point] = place;
  return place;
}

/** How far back white space is searched for line ends. */
const LOOK_BACK = 64;

/** What precedes a position in a text, from the best to the worst place to end a chunk. */
export const GAP = { paragraph: 5, line: 4, space: 3, spaceless: 2, punctuation: 1, none: 0 } as const;
export type Gap = (typeof GAP)[keyof typeof GAP];

/** How suitable `position` is as the end of a chunk (0 < position < text.length), by the characters around it. */
export function gapBefore(text: string, position: number): Gap {
  const unit = text.charCodeAt(position - 1);
  if (isSpace(unit)) {
    let lines = 0;
    const least = Math.max(position - LOOK_BACK, 0);
    for (let at = position - 1; at >= least && lines < 2 && isSpace(text.charCodeAt(at)); at -= 1) {
      const found = text.charCodeAt(at);
      if (found === 0x0a) lines += 1;
      else if (found === 0x2029) lines = 2;
    }
    return lines >= 2 ? GAP.paragraph : lines === 1 ? GAP.line : GAP.space;
  }
  if (isLowSurrogate(text.charCodeAt(position))) return GAP.none;
  const next = kindOfCodePoint(text.codePointAt(position) ?? 0);
  if (next === KIND.attached || unit === 0x200d) return GAP.none;
  const before = text.codePointAt(isLowSurrogate(unit) ? position - 2 : position - 1) ?? 0;
  if (placeOf(text.charCodeAt(position)) === PLACE.trailing || placeOf(before) === PLACE.opening) {
    return GAP.none;
  }
  const previous = kindOfCodePoint(before);
  if (previous === KIND.spaceless || next === KIND.spaceless) return GAP.spaceless;
  const isInWord = (kind: Kind) => kind === KIND.word || kind === KIND.attached;
  return isInWord(previous) && isInWord(next) ? GAP.none : GAP.punctuation;
}

/** Whether a phrase begins at a position: after white space, or after punctuation in a text without spaces. */
export function startsPhrase(text: string, position: number): boolean {
  const gap = gapBefore(text, position);
  return (
    gap >= GAP.space || (gap === GAP.spaceless && placeOf(text.charCodeAt(position - 1)) === PLACE.trailing)
  );
}

export const isLowSurrogate = (unit: number): boolean => (unit & 0xfc00) === 0xdc00;

/** The range without leading and trailing white space. */
export function trimRange(text: string, start: number, end: number): { start: number; end: number } {
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return { start, end };
}
