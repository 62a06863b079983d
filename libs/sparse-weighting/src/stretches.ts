/** What a UTF-16 unit does to the stretch of a text that has words. */
export const STRETCH = { unknown: 0, ascii: 1, inside: 2, between: 3, alone: 4 } as const;
type StretchKind = (typeof STRETCH)[keyof typeof STRETCH];

/** What words are made of, or lose. */
const OF_WORDS = /[\p{L}\p{N}\p{M}\p{Default_Ignorable_Code_Point}]/u;
const LETTERS = /[\p{L}\p{N}]/gu;
const SYMBOL = /\p{S}/u;

/** Kinds of units, found out once each: a text asks millions of times. */
class StretchKinds {
  readonly #known = new Uint8Array(0x10000);

  constructor() {
    for (let unit = 0; unit < 0x80; unit += 1) {
      this.#known[unit] = /[A-Za-z0-9]/.test(String.fromCharCode(unit)) ? STRETCH.ascii : STRETCH.between;
    }
    // Characters beyond the basic plane are looked at as a whole, with what stands around them.
    this.#known.fill(STRETCH.inside, 0xd800, 0xe000);
  }

  of(unit: number): StretchKind {
    const found = (this.#known[unit] ?? STRETCH.between) as StretchKind;
    if (found !== STRETCH.unknown) return found;
    const kind = kindOf(String.fromCharCode(unit));
    this.#known[unit] = kind;
    return kind;
  }
}

export const stretchKinds = new StretchKinds();

function kindOf(character: string): StretchKind {
  if (OF_WORDS.test(character)) return STRETCH.inside;
  const letters = character.normalize('NFKC').match(LETTERS)?.length ?? 0;
  if (letters === 0) return STRETCH.between;
  // "Java™" and "№5" are searched as "Java" and "5": a symbol of several letters is a word of its own.
  return letters > 1 && SYMBOL.test(character) ? STRETCH.alone : STRETCH.inside;
}
