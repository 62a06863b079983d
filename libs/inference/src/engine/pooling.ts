/** Sums over tokens (sequences × dims) as means, in place. */
export function averageRows(sums: Float32Array, lengths: Int32Array, dims: number): Float32Array {
  for (const [row, length] of lengths.entries()) {
    for (let d = row * dims; d < (row + 1) * dims; d += 1) sums[d] = (sums[d] ?? 0) / length;
  }
  return sums;
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
