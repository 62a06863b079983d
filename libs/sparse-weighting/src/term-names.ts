import type { Analyzer } from './analysis.ts';
import { termId } from './term-id.ts';

/** Term ids → a word of the texts that has the term, as the analysis makes it: the first of them. */
export function termNames(texts: Iterable<string>, analyzer: Analyzer): Map<number, string> {
  const names = new Map<number, string>();
  for (const text of texts) {
    for (const { word, term } of analyzer.terms(text)) {
      if (term === undefined) continue;
      const id = termId(term);
      if (!names.has(id)) names.set(id, word);
    }
  }
  return names;
}
