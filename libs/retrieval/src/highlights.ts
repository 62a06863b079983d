import type { Language } from '@embedmill/jobs';
import { stemmerOf, wordsOf } from '@embedmill/sparse-weighting';

export interface Stretch {
  start: number;
  end: number;
}

/** Where words of a text have a term of one of the queries; neighbours with nothing but white space between are one. */
export function highlightsOf(queries: readonly string[], text: string, language: Language): Stretch[] {
  const stem = stemmerOf(language);
  const wanted = new Set<string>();
  for (const query of queries) {
    for (const { word } of wordsOf(query)) {
      const term = stem(word);
      if (term !== undefined) wanted.add(term);
    }
  }
  const found: Stretch[] = [];
  for (const { word, start, end } of wordsOf(text)) {
    const term = stem(word);
    if (term === undefined || !wanted.has(term)) continue;
    const last = found.at(-1);
    if (last !== undefined && text.slice(last.end, start).trim() === '') last.end = end;
    else found.push({ start, end });
  }
  return found;
}
