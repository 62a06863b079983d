import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { byteProducts, byteSquares } from './byte-products.ts';
import { lateInteraction, lateInteractionOf, maxSimilarities, tokenWeights } from './late-interaction.ts';
import { asBytes, pooledTokens, wardClusters } from './token-pooling.ts';

/** Reproducible pseudo-random numbers. */
function* noise(seed = 1): Generator<number, never> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    yield (state >> 8) / 2 ** 23;
  }
}

function unitRows(count: number, dims: number, seed = 1): Float32Array {
  const numbers = noise(seed);
  const rows = Float32Array.from({ length: count * dims }, () => numbers.next().value);
  for (let at = 0; at < rows.length; at += dims) {
    const length = Math.hypot(...rows.subarray(at, at + dims));
    for (let n = at; n < at + dims; n += 1) rows[n] = (rows[n] ?? 0) / length;
  }
  return rows;
}

const rowOf = <Rows extends Float32Array | Int8Array>(rows: Rows, row: number, dims: number) =>
  rows.subarray(row * dims, (row + 1) * dims);
const product = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, n) => sum + value * (b[n] ?? 0), 0);

describe('products of bytes', () => {
  test('are exact, whatever the rows’ number and length', () => {
    const bytes = (length: number) =>
      fc.array(fc.integer({ min: -128, max: 127 }), { minLength: length, maxLength: length });
    const operands = fc
      .tuple(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 9 }))
      .chain(([dims, m, n]) => fc.tuple(fc.constant(dims), bytes(m * dims), bytes(n * dims)));
    fc.assert(
      fc.property(operands, ([dims, a, b]) => {
        const [left, right] = [Int8Array.from(a), Int8Array.from(b)];
        const [m, n] = [left.length / dims, right.length / dims];
        const expected = Array.from({ length: m * n }, (_, at) =>
          product(rowOf(left, at % m, dims), rowOf(right, Math.floor(at / m), dims)),
        );
        expect([...byteProducts(left, right, dims)]).toEqual(expected);
        const squares = Array.from({ length: n }, (_, row) =>
          product(rowOf(right, row, dims), rowOf(right, row, dims)),
        );
        expect([...byteSquares(right, dims)]).toEqual(squares);
      }),
    );
  });

  test('of more rows than are taken at once are all there', () => {
    const dims = 1024;
    const right = new Int8Array(9000 * dims);
    for (let row = 0; row < 9000; row += 1) right[row * dims] = row % 128;
    const left = new Int8Array(2 * dims).fill(1, 0, dims).fill(-2, dims);
    const expected = Array.from({ length: 9000 }, (_, row) => [row % 128, -2 * (row % 128)]).flat();
    expect(byteProducts(left, right, dims)).toEqual(Int32Array.from(expected));
    expect([...byteSquares(right, dims)]).toEqual(Array.from({ length: 9000 }, (_, row) => (row % 128) ** 2));
  });
});

describe('late interaction by bytes', () => {
  test('is that by whole numbers, to a thousandth', () => {
    const dims = 384;
    const query = unitRows(12, dims, 3);
    const document = unitRows(60, dims, 5);
    const weights = Array.from({ length: 12 }, (_, n) => n % 3);
    // A part that the document shares with the query, too.
    document.set(rowOf(query, 4, dims), 7 * dims);
    const [found = new Float32Array()] = maxSimilarities(
      asBytes(query, dims),
      [asBytes(document, dims)],
      dims,
    );
    expect(found[4]).toBeCloseTo(1, 5);
    expect(lateInteractionOf(found, weights)).toBeCloseTo(lateInteraction(query, weights, document, dims), 3);
  });

  test('finds nothing in a document without tokens, and opposites in what has only these', () => {
    const query = Int8Array.of(127, 0);
    const found = maxSimilarities(query, [new Int8Array(), Int8Array.of(-127, 0), Int8Array.of(0, 127)], 2);
    expect(found.map(([value]) => value)).toEqual([0, -1, 0]);
  });

  test('weighs tokens by where they begin, and alike where nothing is emphasized', () => {
    expect(tokenWeights([0, 4, -1, 9], [{ start: 4, end: 8, weight: 2 }])).toEqual([0, 2, 0, 0]);
    expect(tokenWeights([0, -1, 4], [])).toEqual([1, 0, 1]);
    expect(tokenWeights([0, 4], [{ start: 0, end: 3, weight: 0 }])).toEqual([1, 1]);
  });
});

describe('pooling tokens', () => {
  test('factor 1 leaves them as they are, greater ones keep one for as many tokens', () => {
    const rows = unitRows(101, 16);
    expect(pooledTokens(rows, 16, 1)).toEqual(asBytes(rows, 16));
    for (const factor of [2, 3, 4])
      expect(pooledTokens(rows, 16, factor)).toHaveLength(Math.ceil(101 / factor) * 16);
    expect(pooledTokens(new Float32Array(), 16, 2)).toHaveLength(0);
  });

  test('tokens that are alike share a vector, others keep theirs', () => {
    const dims = 32;
    const base = unitRows(5, dims, 11);
    const numbers = noise(17);
    const alike = Float32Array.from(
      { length: 10 * dims },
      (_, at) => (base[(Math.floor(at / dims) % 5) * dims + (at % dims)] ?? 0) + 0.01 * numbers.next().value,
    );
    const pooled = pooledTokens(alike, dims, 2);
    const [nearest = new Float32Array()] = maxSimilarities(asBytes(base, dims), [pooled], dims);
    for (const value of nearest) expect(value).toBeGreaterThan(0.99);
  });

  test('more tokens than are clustered together are pooled in stretches', () => {
    const rows = unitRows(1100, 8);
    expect(pooledTokens(rows, 8, 4)).toHaveLength((128 + 128 + 19) * 8);
  });
});

describe('Ward’s clusters', () => {
  test('are those of merging the cheapest pair again and again', () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 14 }), fc.integer({ min: 1, max: 14 }), fc.nat(10_000));
    fc.assert(
      fc.property(sizes, ([items, count, seed]) => {
        const points = unitRows(items, 6, seed + 1);
        const distances = Float32Array.from({ length: items * items }, (_, at) => {
          const [a, b] = [rowOf(points, Math.floor(at / items), 6), rowOf(points, at % items, 6)];
          return Array.from(a).reduce((sum, value, n) => sum + (value - (b[n] ?? 0)) ** 2, 0);
        });
        const wanted = Math.min(count, items);
        const clusters = wardClusters(distances, wanted);
        const found = Map.groupBy(Array.from(clusters.keys()), (item) => clusters[item]);
        expect(partition([...found.values()])).toEqual(partition(greedyWard(points, 6, wanted)));
      }),
    );
  });
});

const partition = (clusters: number[][]) =>
  clusters.map((one) => one.toSorted((a, b) => a - b).join()).sort();

/**
 * Ward's method by its definition: merges the pair of all pairs whose union adds least to the squared distances from
 * the clusters' means.
 */
function greedyWard(points: Float32Array, dims: number, count: number): number[][] {
  let clusters = Array.from({ length: points.length / dims }, (_, item) => [item]);
  const meanOf = (items: number[]) =>
    Array.from(
      { length: dims },
      (_, n) => items.reduce((sum, item) => sum + (points[item * dims + n] ?? 0), 0) / items.length,
    );
  const cost = (a: number[], b: number[]) => {
    const [meanA, meanB] = [meanOf(a), meanOf(b)];
    const squares = meanA.reduce((sum, value, n) => sum + (value - (meanB[n] ?? 0)) ** 2, 0);
    return (squares * a.length * b.length) / (a.length + b.length);
  };
  while (clusters.length > count) {
    const pairs = clusters.flatMap((a, at) =>
      clusters.slice(at + 1).map((b) => ({ a, b, cost: cost(a, b) })),
    );
    const best = pairs.reduce((least, pair) => (pair.cost < least.cost ? pair : least));
    clusters = [...clusters.filter((one) => one !== best.a && one !== best.b), [...best.a, ...best.b]];
  }
  return clusters;
}
