/** Letters without a capital, or with that of another letter; full case folding does not change them. */
const DOTLESS = 'ı';

/**
 * A word after Unicode's full case folding ("Straße" and "STRASSE" are the same word, σ and ς the same letter), in
 * NFKC. JavaScript has no such function; lower, upper and again lower case gives the same result, except for the
 * dotless ı, whose capital is that of i.
 *
 * `turkish` folds I to ı and İ to i, as in Turkish; otherwise I becomes i, and İ becomes i with a dot above.
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
