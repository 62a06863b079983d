/** Vectors as stored by FakeQdrant, and their similarity to queries. */
export interface FakeSparse {
  indices: number[];
  values: number[];
}

/** Dense vectors are normalised, as Qdrant does for cosine distance; multivectors are compared one by one. */
export type FakeVector = number[] | number[][] | FakeSparse;

export function isSparse(vector: FakeVector): vector is FakeSparse {
  return !Array.isArray(vector);
}

export function isMulti(vector: FakeVector): vector is number[][] {
  return Array.isArray(vector) && Array.isArray(vector[0]);
}

function isDense(vector: FakeVector): vector is number[] {
  return Array.isArray(vector) && !isMulti(vector);
}

/** Qdrant interprets two lists, the first of integers, as the indices and values of a sparse vector. */
export function isTakenForSparse(vector: FakeVector): boolean {
  const [indices, , more] = isMulti(vector) ? vector : [];
  return indices !== undefined && more === undefined && indices.every((one) => Number.isInteger(one));
}

/** The vector as stored. */
export function kept(vector: FakeVector, datatype?: 'float16'): FakeVector {
  if (isMulti(vector)) return vector.map((one) => rounded(normalised(one), datatype));
  return isDense(vector) ? rounded(normalised(vector), datatype) : vector;
}

/** A float16 has eleven significant bits. */
function rounded(vector: number[], datatype: 'float16' | undefined): number[] {
  if (datatype === undefined) return vector;
  return vector.map((value) => {
    if (value === 0) return 0;
    const step = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10);
    return Math.round(value / step) * step;
  });
}

function normalised(vector: number[]): number[] {
  const length = Math.sqrt(dot(vector, vector));
  return length === 0 ? vector : vector.map((value) => value / length);
}

function dot(a: number[], b: number[]): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

/** The similarity of a stored vector to a query in stored form; undefined if they have nothing in common. */
export function nearness(query: FakeVector, vector: FakeVector): number | undefined {
  if (isSparse(query)) return isSparse(vector) ? sparseDot(query, vector) : undefined;
  if (isMulti(query)) {
    if (!isMulti(vector)) return undefined;
    return query.reduce((sum, one) => sum + Math.max(...vector.map((other) => dot(one, other))), 0);
  }
  return isDense(vector) ? dot(query, vector) : undefined;
}

/** The sum of the products of shared terms; undefined if they share none. */
function sparseDot(a: FakeSparse, b: FakeSparse): number | undefined {
  const products = a.indices.flatMap((term, at) => {
    const there = b.indices.indexOf(term);
    return there === -1 ? [] : [(a.values[at] ?? 0) * (b.values[there] ?? 0)];
  });
  return products.length === 0 ? undefined : products.reduce((sum, product) => sum + product, 0);
}

/** A query weighted with its terms' idf in these vectors, like Qdrant's `modifier: idf`. */
export function withIdf(query: FakeSparse, vectors: FakeSparse[]): FakeSparse {
  const values = query.indices.map((term, at) => {
    const having = vectors.filter((vector) => vector.indices.includes(term)).length;
    const odds = Math.fround((vectors.length - having + 0.5) / (having + 0.5));
    return (query.values[at] ?? 0) * Math.log(Math.fround(1 + odds));
  });
  return { indices: query.indices, values };
}

/** The shortest number that gives the same float32, as Qdrant prints scores. */
export function asFloat32(value: number): number {
  const single = Math.fround(value);
  for (let digits = 6; digits < 10; digits++) {
    const short = Number(single.toPrecision(digits));
    if (Math.fround(short) === single) return short;
  }
  return single;
}
