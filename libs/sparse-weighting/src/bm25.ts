import type { Bm25Options, SparseVector } from '@embedmill/jobs';
import type { Analyzer } from './analysis.ts';
import { termId } from './term-id.ts';
import { sparseVector } from './vector.ts';

/**
 * A text's BM25 weights (Robertson et al., 1994) without the idf, which the store adds from the collection's current
 * state: c·(k1 + 1) / (c + k1·(1 − b + b·length/averageLength)) for a term that occurs c times among `length` terms.
 */
export function bm25Document(
  text: string,
  analyzer: Analyzer,
  { k1, b }: Pick<Bm25Options, 'k1' | 'b'>,
  averageLength: number,
): SparseVector {
  const { counts, length } = countTerms(text, analyzer);
  const damping = k1 * (1 - b + (b * length) / averageLength);
  const weights = new Map<number, number>();
  for (const [id, count] of counts) weights.set(id, (count * (k1 + 1)) / (count + damping));
  return sparseVector(weights);
}

/** A query's weights: the number of occurrences of each term. */
export function bm25Query(text: string, analyzer: Analyzer): SparseVector {
  return sparseVector(countTerms(text, analyzer).counts);
}

function countTerms(text: string, analyzer: Analyzer): { counts: Map<number, number>; length: number } {
  const counts = new Map<number, number>();
  let length = 0;
  for (const { term } of analyzer.terms(text)) {
    if (term === undefined) continue;
    const id = termId(term);
    counts.set(id, (counts.get(id) ?? 0) + 1);
    length += 1;
  }
  return { counts, length };
}
