import type { Language } from '@embedmill/jobs';
import type { Term } from './words.ts';

/** What languages are written in; those that are missing here share their letters with English. */
const SCRIPTS: { readonly [Name in Language]?: RegExp } = {
  arabic: /\p{Script=Arabic}/u,
  chinese: /\p{Script=Han}/u,
  japanese: /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u,
  korean: /[\p{Script=Hangul}\p{Script=Han}]/u,
  russian: /\p{Script=Cyrillic}/u,
  thai: /\p{Script=Thai}/u,
};

/** A word or two are a name, as of a program or an error, which stands in texts of any language as it is. */
const NAME_TERMS = 2;

/**
 * Whether a question is in words of another script than a language's texts. It shares some names with them at most, so
 * that the texts that have its words are rarely those that answer it.
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
