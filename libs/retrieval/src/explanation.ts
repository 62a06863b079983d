import type { SparseVector } from '@embedmill/jobs';

/** What one term gave to a sparse score. */
export interface TermMatch {
  term: number;
  /** Its weight in the query, times what the store multiplies it by. */
  query: number;
  document: number;
  /** Its part of the whole score, from 0 to 1. */
  share: number;
}

/**
 * The terms that a query and a document share, the weightiest first; their shares add up to 1. `factors` are what the
 * store multiplies each of the query's terms by.
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
