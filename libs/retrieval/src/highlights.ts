import type { Analyzer } from '@embedmill/sparse-weighting';

export interface Stretch {
  start: number;
  end: number;
}

/**
 * Finds the words of a text that share a term with one of the queries. The queries are analysed once for all texts.
 * Matches with only white space between them are joined.
 */
export function highlighter(queries: readonly string[], analyzer: Analyzer): (text: string) => Stretch[] {
  const wanted = new Set<string>();
  for (const query of queries) {
    for (const { term } of analyzer.terms(query)) {
      if (term !== undefined) wanted.add(term);
    }
  }
  return (text) => {
    const found: Stretch[] = [];
    for (const { term, start, end } of analyzer.terms(text)) {
      if (term === undefined || !wanted.has(term)) continue;
      const last = found.at(-1);
      if (last !== undefined && text.slice(last.end, start).trim() === '') last.end = Math.max(last.end, end);
      else found.push({ start, end });
    }
    return found;
  };
}
