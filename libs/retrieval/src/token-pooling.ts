import { byteProducts, byteSquares } from './byte-products.ts';

/**
 * The maximum number of tokens clustered together, because the cost grows with its square. Longer texts are split into
 * ranges of this size.
 */
const MOST_TOKENS = 512;

/** Rows of numbers as rows of bytes with the same directions: each row's greatest magnitude becomes 127. */
export function asBytes(rows: Float32Array, dims: number): Int8Array {
  const bytes = new Int8Array(rows.length);
  for (let from = 0; from < rows.length; from += dims) {
    let greatest = 0;
    for (let at = from; at < from + dims; at += 1) greatest = Math.max(greatest, Math.abs(rows[at] ?? 0));
    const scale = 127 / (greatest || 1);
    for (let at = from; at < from + dims; at += 1) bytes[at] = Math.round((rows[at] ?? 0) * scale);
  }
  return bytes;
}

/**
 * Token vectors as bytes, one for every `poolFactor` tokens: tokens are clustered by their cosines, and each cluster
 * becomes its mean (Clavié, Chaffin and Adams, "Reducing the Footprint of Multi-Vector Retrieval with Minimal
 * Performance Impact via Token Pooling", 2024; hierarchical clustering by Ward's method, as there). Factor 1 does not
 * pool.
 *
 * @param rows tokens × dims, normalised
 */
export function pooledTokens(rows: Float32Array, dims: number, poolFactor: number): Int8Array {
  if (poolFactor === 1) return asBytes(rows, dims);
  const pooled: Int8Array[] = [];
  const most = MOST_TOKENS * dims;
  for (let from = 0; from < rows.length; from += most)
    pooled.push(pooledStretch(rows.subarray(from, from + most), dims, poolFactor));
  return joined(pooled);
}

function pooledStretch(rows: Float32Array, dims: number, poolFactor: number): Int8Array {
  const tokens = rows.length / dims;
  const clusters = wardClusters(distancesOf(asBytes(rows, dims), dims), Math.ceil(tokens / poolFactor));
  const order = [...new Set(clusters)];
  const sums = new Float32Array(order.length * dims);
  const places = new Map(order.map((cluster, place) => [cluster, place * dims]));
  for (let token = 0; token < tokens; token += 1) {
    const place = places.get(clusters[token] ?? 0) ?? 0;
    for (let n = 0, at = token * dims; n < dims; n += 1, at += 1)
      sums[place + n] = (sums[place + n] ?? 0) + (rows[at] ?? 0);
  }
  return asBytes(sums, dims);
}

/** Squared distances of the normalised rows, 2 − 2 cos: rows × rows. */
function distancesOf(rows: Int8Array, dims: number): Float32Array {
  const lengths = Float32Array.from(byteSquares(rows, dims), (square) => Math.sqrt(square) || 1);
  const products = byteProducts(rows, rows, dims);
  const distances = new Float32Array(products.length);
  const count = lengths.length;
  for (let at = 0, a = 0; a < count; a += 1) {
    const length = lengths[a] ?? 1;
    for (let b = 0; b < count; b += 1, at += 1)
      distances[at] = 2 - (2 * (products[at] ?? 0)) / (length * (lengths[b] ?? 1));
  }
  return distances;
}

/**
 * Assigns each item to one of `count` clusters, identified by a number. Ward's method: first merges the two clusters
 * that add least to the squared distances within clusters. Uses nearest-neighbour chains (Murtagh, 1983), which make
 * the same merges in another order, and updates distances by Lance and Williams.
 *
 * @param distances squared distances, items × items; overwritten
 */
export function wardClusters(distances: Float32Array, count: number): Int32Array {
  const items = Math.sqrt(distances.length);
  const sizes = new Int32Array(items).fill(1);
  // The first `left` entries are the clusters that are not merged into another one.
  const open = Int32Array.from({ length: items }, (_, item) => item);
  const merges: { a: number; b: number; distance: number }[] = [];
  const chain: number[] = [];
  for (let left = items; left > 1;) {
    if (chain.length === 0) chain.push(open[0] ?? 0);
    const last = chain.at(-1) ?? 0;
    const before = chain.at(-2);
    const row = last * items;
    // The previous element wins ties, so that chains end.
    let nearest = before ?? -1;
    let least = before === undefined ? Infinity : (distances[row + before] ?? 0);
    for (let at = 0; at < left; at += 1) {
      const other = open[at] ?? 0;
      const distance = distances[row + other] ?? 0;
      if (distance < least && other !== last) {
        nearest = other;
        least = distance;
      }
    }
    if (nearest !== before) {
      chain.push(nearest);
      continue;
    }
    chain.length -= 2;
    merges.push({ a: nearest, b: last, distance: least });
    left -= 1;
    open[open.indexOf(last)] = open[left] ?? 0;
    const [sizeA, sizeB] = [sizes[nearest] ?? 1, sizes[last] ?? 1];
    for (let at = 0; at < left; at += 1) {
      const other = open[at] ?? 0;
      if (other === nearest) continue;
      const size = sizes[other] ?? 1;
      const toA = distances[nearest * items + other] ?? 0;
      const sum = (sizeA + size) * toA + (sizeB + size) * (distances[row + other] ?? 0);
      const distance = (sum - size * least) / (sizeA + sizeB + size);
      distances[nearest * items + other] = distance;
      distances[other * items + nearest] = distance;
    }
    sizes[nearest] = sizeA + sizeB;
  }
  return clustersAfter(merges.toSorted((a, b) => a.distance - b.distance).slice(0, items - count), items);
}

/** Assigns items to clusters by applying the merges. */
function clustersAfter(merges: readonly { a: number; b: number }[], items: number): Int32Array {
  const clusters = Int32Array.from({ length: items }, (_, item) => item);
  const root = (item: number): number => {
    const cluster = clusters[item] ?? item;
    return cluster === item ? item : root(cluster);
  };
  for (const { a, b } of merges) clusters[root(b)] = root(a);
  return clusters.map((_, item) => root(item));
}

function joined(parts: readonly Int8Array[]): Int8Array {
  const all = new Int8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
