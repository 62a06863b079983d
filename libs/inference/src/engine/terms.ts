import type { PackedSparse } from '../engine.ts';

/**
 * The heaviest terms of each row of weights (rows × vocabulary), without weights of 0 or less; the lower id wins a tie.
 */
export function heaviestTerms(weights: Float32Array, vocabulary: number, maxTerms: number): PackedSparse {
  const found = new Uint32Array(vocabulary);
  const rows: Uint32Array[] = [];
  for (let from = 0; from < weights.length; from += vocabulary) {
    const row = weights.subarray(from, from + vocabulary);
    let count = 0;
    for (let term = 0; term < vocabulary; term += 1) {
      if ((row[term] ?? 0) > 0) {
        found[count] = term;
        count += 1;
      }
    }
    const positive = found.subarray(0, count);
    rows.push(count > maxTerms ? heaviest(row, positive, maxTerms) : positive.slice());
  }
  return packed(weights, vocabulary, rows);
}

/** SPLADE's weight of a term by its logit z, log(1 + max(0, z)), in place. (Formal et al. 2021, arXiv:2107.05720) */
export function saturate({ values }: Pick<PackedSparse, 'values'>): void {
  for (const [n, logit] of values.entries()) values[n] = Math.log1p(Math.max(0, logit));
}

function heaviest(row: Float32Array, terms: Uint32Array, count: number): Uint32Array {
  const weightOf = (term: number): number => row[term] ?? 0;
  const sorted = Float32Array.from(terms, weightOf).sort();
  const least = sorted[sorted.length - count] ?? 0;
  // Terms that weigh exactly the least are kept only as far as there is room.
  let room = count - (sorted.length - 1 - sorted.lastIndexOf(least));
  return terms.filter((term) => {
    const weight = weightOf(term);
    if (weight !== least) return weight > least;
    room -= 1;
    return room >= 0;
  });
}

function packed(weights: Float32Array, vocabulary: number, rows: readonly Uint32Array[]): PackedSparse {
  const lengths = Int32Array.from(rows, ({ length }) => length);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const indices = new Uint32Array(total);
  const values = new Float32Array(total);
  let at = 0;
  for (const [n, terms] of rows.entries()) {
    for (const term of terms) {
      indices[at] = term;
      values[at] = weights[n * vocabulary + term] ?? 0;
      at += 1;
    }
  }
  return { lengths, indices, values };
}
