import type { Analyzer } from '@embedmill/sparse-weighting';

export interface Stretch {
  start: number;
  end: number;
}

/** Where words of a text have a term of one of the queries; neighbours with nothing but white space between are one. */
export function highlightsOf(queries: readonly string[], text: string, analyzer: Analyzer): Stretch[] {
  const wanted = new Set<string>();
  for (const query of queries) {
    for (const { term } of analyzer.terms(query)) {
      if (term !== undefined) wanted.add(term);
    }
  }
  const found: Stretch[] = [];
  for (const { term, start, end } of analyzer.terms(text)) {
    if (term === undefined || !wanted.has(term)) continue;
    const last = found.at(-1);
    if (last !== undefined && text.slice(last.end, start).trim() === '') last.end = end;
    else found.push({ start, end });
  }
  return found;
}
