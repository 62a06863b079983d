/** What a UTF-16 unit means for stretches of text with words. */
export const STRETCH = { unknown: 0, ascii: 1, inside: 2, between: 3, alone: 4 } as const;
type StretchKind = (typeof STRETCH)[keyof typeof STRETCH];

/** Belongs to a word, or is removed from it. */
const OF_WORDS = /[\p{L}\p{N}\p{M}\p{Default_Ignorable_Code_Point}]/u;
const LETTERS = /[\p{L}\p{N}]/gu;
const SYMBOL = /\p{S}/u;

/** The cached kinds of units, because a text needs them millions of times. */
class StretchKinds {
  readonly #known = new Uint8Array(0x10000);

  constructor() {
    for (let unit = 0; unit < 0x80; unit += 1) {
      this.#known[unit] = /[A-Za-z0-9]/.test(String.fromCharCode(unit)) ? STRETCH.ascii : STRETCH.between;
    }
    // Characters beyond the basic plane are classified as a whole, with their surroundings.
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
  // Users search "Java™" and "№5" as "Java" and "5", so a symbol of several letters is a separate word.
  return letters > 1 && SYMBOL.test(character) ? STRETCH.alone : STRETCH.inside;
}
