import type { Analyzer } from './analysis.ts';
import { termId } from './term-id.ts';

/** Term ids → the first analysed word in the texts with that term. */
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
