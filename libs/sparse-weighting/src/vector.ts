import type { SparseVector } from '@embedmill/jobs';

/** Weights by term id as a vector, without weights of 0. */
export function sparseVector(weights: ReadonlyMap<number, number>): SparseVector {
  const ids = Uint32Array.from(weights.keys()).sort();
  const values = Float32Array.from(ids, (id) => weights.get(id) ?? 0);
  if (!values.includes(0)) return { indices: ids, values };
  return {
    indices: ids.filter((_, n) => values[n] !== 0),
    values: values.filter((value) => value !== 0),
  };
}

/** The `most` heaviest terms of a vector; the lower id wins a tie. */
export function topTerms(vector: SparseVector, most: number): SparseVector {
  const { indices, values } = vector;
  if (indices.length <= most) return vector;
  const order = Uint32Array.from(indices, (_, n) => n);
  order.sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b);
  const kept = order.slice(0, most).sort();
  return {
    indices: Uint32Array.from(kept, (n) => indices[n] ?? 0),
    values: Float32Array.from(kept, (n) => values[n] ?? 0),
  };
}
