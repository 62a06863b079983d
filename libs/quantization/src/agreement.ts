/** How far two models agree on the same texts, given as rows of normalised vectors. */

export interface Agreement {
  /** The cosine similarities of each text's two vectors. */
  leastCosine: number;
  meanCosine: number;
  /** The average overlap of each text's ten nearest neighbours, as a share of ten. */
  sameNearest: number;
}

const NEAREST = 10;

export function agreementOf(one: Float32Array, other: Float32Array, dims: number): Agreement {
  const texts = one.length / dims;
  const cosines = Float64Array.from({ length: texts }, (_, text) => cosine(one, text, other, text, dims));
  let same = 0;
  for (let text = 0; text < texts; text += 1) {
    const other10 = new Set(nearest(other, text, dims));
    same += nearest(one, text, dims).filter((found) => other10.has(found)).length;
  }
  const found = Math.min(NEAREST, texts - 1) * texts;
  return {
    leastCosine: cosines.reduce((least, x) => Math.min(least, x), 1),
    meanCosine: cosines.reduce((sum, x) => sum + x, 0) / texts,
    sameNearest: found === 0 ? 1 : same / found,
  };
}

function nearest(vectors: Float32Array, text: number, dims: number): number[] {
  const others = Array.from({ length: vectors.length / dims }, (_, n) => n).filter((n) => n !== text);
  const scores = new Map(others.map((n) => [n, cosine(vectors, text, vectors, n, dims)]));
  return others.sort((a, b) => (scores.get(b) ?? 0) - (scores.get(a) ?? 0)).slice(0, NEAREST);
}

function cosine(one: Float32Array, a: number, other: Float32Array, b: number, dims: number): number {
  let [product, ofOne, ofOther] = [0, 0, 0];
  for (let d = 0; d < dims; d += 1) {
    const [x, y] = [one[a * dims + d] ?? 0, other[b * dims + d] ?? 0];
    product += x * y;
    ofOne += x * x;
    ofOther += y * y;
  }
  return product / Math.sqrt(ofOne * ofOther) || 0;
}
