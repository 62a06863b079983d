/** Their capital is that of another letter, or they have none; full case folding keeps them as they are. */
const DOTLESS = 'ı';

/**
 * A word in the form in which case says nothing (Unicode's full case folding: "Straße" and "STRASSE" are one word, σ
 * and ς one letter), in NFKC. There is no such function in JavaScript; small, capital and small again comes to the same,
 * but for the dotless ı, whose capital is that of i.
 *
 * `turkish` folds I to ı and İ to i, as Turkish has them; else I is i, and İ is i with a dot above.
 */
export function folded(word: string, turkish: boolean): string {
  const own = turkish ? word.replaceAll('İ', 'i').replaceAll('I', DOTLESS) : word;
  if (own.includes(DOTLESS)) {
    return own
      .split(DOTLESS)
      .map((part) => caseless(part))
      .join(DOTLESS)
      .normalize('NFKC');
  }
  return caseless(own).normalize('NFKC');
}

function caseless(word: string): string {
  return word.normalize('NFD').toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ');
}
