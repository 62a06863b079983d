import { PCA } from 'ml-pca';
import { UMAP } from 'umap-js';

export type Projection = 'umap' | 'pca';

/** Neighbours that UMAP keeps together: its usual number. */
const NEIGHBOURS = 15;
const SEED = 0x9e3779b9;

/**
 * Vectors in two dimensions, near ones near: by UMAP (McInnes et al., 2018) or along the two directions in which they
 * differ most. The same vectors give the same picture. `onProgress` gets parts of the whole, from 0 to 1.
 */
export function project(
  vectors: readonly Float32Array[],
  method: Projection,
  onProgress: (part: number) => void = () => {},
): [x: number, y: number][] {
  const rows = vectors.map((vector) => [...vector]);
  // Fewer points than UMAP has neighbours make no picture of neighbourhoods.
  if (method === 'pca' || rows.length <= NEIGHBOURS) return principal(rows);
  const umap = new UMAP({ nComponents: 2, nNeighbors: NEIGHBOURS, minDist: 0.1, random: seeded(SEED) });
  const epochs = umap.initializeFit(rows);
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    umap.step();
    onProgress((epoch + 1) / epochs);
  }
  return umap.getEmbedding().map(([x = 0, y = 0]) => [x, y]);
}

function principal(rows: number[][]): [number, number][] {
  if (rows.length < 3) return rows.map((_, n) => [n, 0]);
  const projected = new PCA(rows).predict(rows, { nComponents: 2 }).to2DArray();
  return projected.map(([x = 0, y = 0]) => [x, y]);
}

/** Numbers from 0 to 1 that look random and are the same each time (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
