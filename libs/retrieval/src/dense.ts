/**
 * A vector cut to its first `dims` numbers and brought back to length 1, as models with smaller sizes are trained for
 * (Kusupati et al., Matryoshka Representation Learning, 2022); itself where it has that size.
 */
export function shortened(vector: Float32Array, dims: number): Float32Array {
  return vector.length === dims ? vector : normalized(vector.slice(0, dims));
}

/** The cosine of two vectors of length 1. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let n = 0; n < a.length; n += 1) sum += (a[n] ?? 0) * (b[n] ?? 0);
  return sum;
}

/**
 * What is like the positives and unlike the negatives, as a direction: the sum of the ones less that of the others. So
 * king and woman less man is near queen (Mikolov et al., 2013).
 */
export function combineExamples(
  positives: readonly Float32Array[],
  negatives: readonly Float32Array[],
): Float32Array {
  const sum = new Float32Array(positives[0]?.length ?? 0);
  const add = (vector: Float32Array, sign: number) => {
    for (let n = 0; n < sum.length; n += 1) sum[n] = (sum[n] ?? 0) + sign * (vector[n] ?? 0);
  };
  for (const vector of positives) add(vector, 1);
  for (const vector of negatives) add(vector, -1);
  return normalized(sum);
}

/**
 * How near a vector is to the nearest positive; less than all that are nearer to a positive than to every negative where
 * it is not, and the less the nearer it is to a negative.
 */
export function likeness(
  vector: Float32Array,
  positives: readonly Float32Array[],
  negatives: readonly Float32Array[],
): number {
  const nearest = (examples: readonly Float32Array[]) =>
    examples.reduce((most, example) => Math.max(most, cosine(vector, example)), -Infinity);
  const [like, unlike] = [nearest(positives), nearest(negatives)];
  // Cosines of nearer ones are above -1, so this is below all of them.
  return like > unlike ? like : -2 - unlike;
}

/**
 * A query's vector drawn towards what answered it best (Rocchio, 1971): the query plus the mean of these, of length 1.
 */
export function withFeedback(query: Float32Array, best: readonly Float32Array[]): Float32Array {
  if (best.length === 0) return query;
  const sum = Float32Array.from(query);
  for (const vector of best) {
    for (let n = 0; n < sum.length; n += 1) sum[n] = (sum[n] ?? 0) + (vector[n] ?? 0) / best.length;
  }
  return normalized(sum);
}

function normalized(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const length = Math.sqrt(squares);
  return length === 0 ? vector : vector.map((value) => value / length);
}
