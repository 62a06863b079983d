import type { Language } from '@embedmill/jobs';
import type { Term } from './words.ts';

/** The scripts of languages; those missing here share their letters with English. */
const SCRIPTS: { readonly [Name in Language]?: RegExp } = {
  arabic: /\p{Script=Arabic}/u,
  chinese: /\p{Script=Han}/u,
  japanese: /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u,
  korean: /[\p{Script=Hangul}\p{Script=Han}]/u,
  russian: /\p{Script=Cyrillic}/u,
  thai: /\p{Script=Thai}/u,
};

/**
 * The minimum number of words: one or two may be a name, for example of a program or an error, which occurs unchanged
 * in texts of any language.
 */
const NAME_TERMS = 2;

/**
 * Whether a question is written in another script than a language's texts. At most it shares names with them, so texts
 * with its words rarely answer it.
 */
export function isForeign(terms: Iterable<Pick<Term, 'word' | 'term'>>, language: Language): boolean {
  const script = SCRIPTS[language];
  if (script === undefined) return false;
  let count = 0;
  for (const { word, term } of terms) {
    if (script.test(word)) return false;
    if (term !== undefined) count += 1;
  }
  return count > NAME_TERMS;
}
