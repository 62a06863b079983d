import { PCA } from 'ml-pca';
import { UMAP } from 'umap-js';
import { seeded } from './seeded.ts';

export type Projection = 'umap' | 'pca';

export type Place = [x: number, y: number];

/** The number of neighbours for UMAP: its usual default. */
const NEIGHBOURS = 15;
const SEED = 0x9e3779b9;

/**
 * Projects vectors to two dimensions so that near ones stay near: by UMAP (McInnes et al., 2018), or along the two
 * directions of greatest variance. The same vectors give the same picture. `onProgress` receives the finished share,
 * from 0 to 1.
 */
export function project(
  vectors: readonly Float32Array[],
  method: Projection,
  onProgress: (part: number) => void = () => {},
): Place[] {
  const rows = vectors.map((vector) => [...vector]);
  // UMAP needs more points than neighbours.
  if (method === 'pca' || rows.length <= NEIGHBOURS) return principal(rows);
  const umap = new UMAP({ nComponents: 2, nNeighbors: NEIGHBOURS, minDist: 0.1, random: seeded(SEED) });
  const epochs = umap.initializeFit(rows);
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    umap.step();
    onProgress((epoch + 1) / epochs);
  }
  return umap.getEmbedding().map(([x = 0, y = 0]) => [x, y]);
}

function principal(rows: number[][]): Place[] {
  if (rows.length < 3) return rows.map((_, n) => [n, 0]);
  const projected = new PCA(rows).predict(rows, { nComponents: 2 }).to2DArray();
  return projected.map(([x = 0, y = 0]) => [x, y]);
}
