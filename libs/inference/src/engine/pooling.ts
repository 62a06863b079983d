/**
 * Token vectors (sequences × longest × dims) as one vector a sequence (sequences × dims): the mean of the
 * sequence's own tokens, or its first token's. Padding is never read and sums run in one order, so a sequence's
 * vector does not depend on what shares its batch.
 */
export function poolTokens(
  states: Float32Array,
  lengths: Int32Array,
  longest: number,
  dims: number,
  pooling: 'mean' | 'cls',
): Float32Array {
  const vectors = new Float32Array(lengths.length * dims);
  const sum = new Float64Array(dims);
  for (const [row, length] of lengths.entries()) {
    const first = row * longest * dims;
    if (pooling === 'cls') {
      vectors.set(states.subarray(first, first + dims), row * dims);
      continue;
    }
    sum.fill(0);
    for (let at = first; at < first + length * dims; at += dims) {
      for (let d = 0; d < dims; d += 1) sum[d] = (sum[d] ?? 0) + (states[at + d] ?? 0);
    }
    for (let d = 0; d < dims; d += 1) vectors[row * dims + d] = (sum[d] ?? 0) / length;
  }
  return vectors;
}

/** Scales each vector to length 1, in place; a vector of zeros stays as it is. */
export function normalizeRows(vectors: Float32Array, dims: number): Float32Array {
  for (let at = 0; at < vectors.length; at += dims) {
    let squares = 0;
    for (let d = at; d < at + dims; d += 1) squares += (vectors[d] ?? 0) ** 2;
    if (squares === 0) continue;
    const norm = Math.sqrt(squares);
    for (let d = at; d < at + dims; d += 1) vectors[d] = (vectors[d] ?? 0) / norm;
  }
  return vectors;
}
