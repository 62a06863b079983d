import type { Language } from '@embedmill/jobs';
import { stemmerOf } from './languages.ts';
import { termId } from './term-id.ts';
import { wordsOf } from './words.ts';

/** Term ids → a word of the texts that has the term, in lower case: the first of them. */
export function termNames(texts: Iterable<string>, language: Language): Map<number, string> {
  const stem = stemmerOf(language);
  const names = new Map<number, string>();
  for (const text of texts) {
    for (const { word } of wordsOf(text)) {
      const term = stem(word);
      if (term === undefined) continue;
      const id = termId(term);
      if (!names.has(id)) names.set(id, word);
    }
  }
  return names;
}
