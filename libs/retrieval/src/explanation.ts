import type { SparseVector } from '@embedmill/jobs';

/** One term's contribution to a sparse score. */
export interface TermMatch {
  term: number;
  /** Its weight in the query, times the store's factor. */
  query: number;
  document: number;
  /** Its share of the whole score, from 0 to 1. */
  share: number;
}

/**
 * The terms that a query and a document share, in descending order of contribution; their shares add up to 1. `factors`
 * are the store's factors for the query's terms.
 */
export function explainMatch(
  query: SparseVector,
  factors: Float32Array,
  document: SparseVector,
): TermMatch[] {
  const matches: TermMatch[] = [];
  let score = 0;
  let at = 0;
  for (const [n, term] of query.indices.entries()) {
    while (at < document.indices.length && (document.indices[at] ?? 0) < term) at += 1;
    if (document.indices[at] !== term) continue;
    const weighed = (query.values[n] ?? 0) * (factors[n] ?? 0);
    const weight = document.values[at] ?? 0;
    matches.push({ term, query: weighed, document: weight, share: weighed * weight });
    score += weighed * weight;
  }
  for (const match of matches) match.share = score === 0 ? 0 : match.share / score;
  return matches.toSorted((a, b) => b.share - a.share || a.term - b.term);
}
