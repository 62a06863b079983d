/**
 * A vector truncated to its first `dims` numbers and normalised again, for which models with smaller sizes are trained
 * (Kusupati et al., Matryoshka Representation Learning, 2022); unchanged if it has that size.
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
 * The direction towards the positives and away from the negatives: the sum of the positives minus the sum of the
 * negatives. For example, king + woman − man is near queen (Mikolov et al., 2013).
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
 * A vector's similarity to the nearest positive, if that is nearer than every negative. Otherwise a score below all
 * such similarities, which falls as the nearest negative gets nearer.
 */
export function likeness(
  vector: Float32Array,
  positives: readonly Float32Array[],
  negatives: readonly Float32Array[],
): number {
  const nearest = (examples: readonly Float32Array[]) =>
    examples.reduce((most, example) => Math.max(most, cosine(vector, example)), -Infinity);
  const [like, unlike] = [nearest(positives), nearest(negatives)];
  // The cosines of such vectors are above -1, so this is below all of them.
  return like > unlike ? like : -2 - unlike;
}

/** A query's vector moved towards its best hits (Rocchio, 1971): the query plus the mean of the hits, normalised. */
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
