import type { SparseVector } from '@embedmill/jobs';
import type { Analyzer } from './analysis.ts';
import { termId } from './term-id.ts';
import { sparseVector } from './vector.ts';

/**
 * A text's BM42 weights (Qdrant, 2024) without the idf: √ln(1 + w), where w is the attention that the first token
 * ([CLS]) pays to all tokens of the words with a term, in the last layer, averaged over its heads.
 *
 * `offsets` has each token's position in the text: its first character and one past its last, as consecutive pairs, in
 * UTF-16 units; -1 for tokens without one, such as special tokens.
 */
export function bm42Document(
  text: string,
  offsets: ArrayLike<number>,
  attention: Float32Array,
  analyzer: Analyzer,
): SparseVector {
  const startOf = (token: number) => offsets[2 * token] ?? -1;
  const endOf = (token: number) => offsets[2 * token + 1] ?? -1;
  const weights = new Map<number, number>();
  let token = 0;
  let last = { end: 0, firstToken: 0 };
  for (const { term, start, end } of analyzer.terms(text)) {
    let weight = 0;
    // Words that come from one character, like those of "½", share its tokens.
    if (start < last.end) token = last.firstToken;
    while (token < attention.length && endOf(token) <= start) token += 1;
    last = { end, firstToken: token };
    for (; token < attention.length && startOf(token) < end && endOf(token) > 0; token += 1) {
      weight += attention[token] ?? 0;
      // A token that extends into the next word counts for both.
      if (endOf(token) > end) break;
    }
    if (term === undefined || weight === 0) continue;
    const id = termId(term);
    weights.set(id, (weights.get(id) ?? 0) + weight);
  }
  for (const [id, weight] of weights) weights.set(id, Math.sqrt(Math.log1p(weight)));
  return sparseVector(weights);
}

/** A query's weights: 1 for each of its terms. */
export function bm42Query(text: string, analyzer: Analyzer): SparseVector {
  const weights = new Map<number, number>();
  for (const { term } of analyzer.terms(text)) {
    if (term !== undefined) weights.set(termId(term), 1);
  }
  return sparseVector(weights);
}
