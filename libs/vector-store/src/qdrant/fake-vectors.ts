/** Vectors as FakeQdrant keeps them, and how near they are to those that are looked for. */
export interface FakeSparse {
  indices: number[];
  values: number[];
}

/** Dense ones are normalised, as Qdrant keeps those of cosine distance. */
export type FakeVector = number[] | FakeSparse;

export function isSparse(vector: FakeVector): vector is FakeSparse {
  return !Array.isArray(vector);
}

export function normalised(vector: number[]): number[] {
  const length = Math.sqrt(dot(vector, vector));
  return length === 0 ? vector : vector.map((value) => value / length);
}

export function dot(a: number[], b: number[]): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

/** The sum of the products of the terms that both have; undefined where they share none. */
export function sparseDot(a: FakeSparse, b: FakeSparse): number | undefined {
  const products = a.indices.flatMap((term, at) => {
    const there = b.indices.indexOf(term);
    return there === -1 ? [] : [(a.values[at] ?? 0) * (b.values[there] ?? 0)];
  });
  return products.length === 0 ? undefined : products.reduce((sum, product) => sum + product, 0);
}

/**
 * A query with its terms' idf, as Qdrant's `modifier: idf` has it. Of `vectors`, those of the points that are there: Qdrant
 * itself also counts those that are gone but not vacuumed yet.
 */
export function withIdf(query: FakeSparse, vectors: FakeSparse[]): FakeSparse {
  const values = query.indices.map((term, at) => {
    const having = vectors.filter((vector) => vector.indices.includes(term)).length;
    return (query.values[at] ?? 0) * Math.log(1 + (vectors.length - having + 0.5) / (having + 0.5));
  });
  return { indices: query.indices, values };
}

/** The shortest number that means the same float32, which is how Qdrant writes scores. */
export function asFloat32(value: number): number {
  for (let digits = 6; digits < 10; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return Math.fround(value);
}
