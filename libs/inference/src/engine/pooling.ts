/** Turns sums over tokens (sequences × dims) into means, in place. */
export function averageRows(sums: Float32Array, lengths: Int32Array, dims: number): Float32Array {
  for (const [row, length] of lengths.entries()) {
    for (let d = row * dims; d < (row + 1) * dims; d += 1) sums[d] = (sums[d] ?? 0) / length;
  }
  return sums;
}

/** Scales each vector to length 1, in place, except zero vectors and those marked `raw`. */
export function normalizeRows(vectors: Float32Array, dims: number, raw?: ArrayLike<boolean>): Float32Array {
  for (let at = 0; at < vectors.length; at += dims) {
    if (raw?.[at / dims] === true) continue;
    let squares = 0;
    for (let d = at; d < at + dims; d += 1) squares += (vectors[d] ?? 0) ** 2;
    if (squares === 0) continue;
    const norm = Math.sqrt(squares);
    for (let d = at; d < at + dims; d += 1) vectors[d] = (vectors[d] ?? 0) / norm;
  }
  return vectors;
}

/**
 * Removes the rows of padding from rows by token (sequences × longest × dims): tokens × dims. A graph that omits the
 * first token, like bge-m3's token vectors, has one row less; that token's row becomes 0.
 */
export function withoutPadding(
  rows: Float32Array,
  lengths: Int32Array,
  { longest, dims, isLeft = false }: { longest: number; dims: number; isLeft?: boolean },
): Float32Array {
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const lacking = Math.max(0, lengths.reduce((most, length) => Math.max(most, length), 0) - longest);
  const real = new Float32Array(tokens * dims);
  let at = 0;
  for (const [n, length] of lengths.entries()) {
    const there = length - lacking;
    const start = (n * longest + (isLeft ? longest - there : 0)) * dims;
    real.set(rows.subarray(start, start + there * dims), at + lacking * dims);
    at += length * dims;
  }
  return real;
}

/** The mean over the heads (sequences × heads × longest), without padding: one number per token. */
export function averageHeads(
  rows: Float32Array,
  lengths: Int32Array,
  heads: number,
  longest: number,
): Float32Array {
  const means = new Float32Array(lengths.reduce((sum, length) => sum + length, 0));
  let from = 0;
  for (const [n, length] of lengths.entries()) {
    for (let at = 0; at < length; at += 1) {
      let sum = 0;
      for (let head = 0; head < heads; head += 1) sum += rows[(n * heads + head) * longest + at] ?? 0;
      means[from + at] = sum / heads;
    }
    from += length;
  }
  return means;
}
