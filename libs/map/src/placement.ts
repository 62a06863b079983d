import type { Place } from './projection.ts';

/** Projected points by which others are placed: the rows of a matrix, and the position of each. */
export interface Landmarks {
  readonly dims: number;
  /** Concatenated vectors of length 1. */
  readonly vectors: Float32Array;
  readonly places: readonly Place[];
}

/** The number of landmarks that determine a point's position. */
const NEIGHBOURS = 5;
/** How strongly nearer landmarks are preferred; large, because the cosines are close together. */
const SHARPNESS = 20;

/**
 * A vector's position among the landmarks: the mean of the most similar ones, weighted by similarity. A landmark itself
 * is placed close to its own position.
 */
export function placeNear(vector: Float32Array, { dims, vectors, places }: Landmarks): Place {
  const length = Math.hypot(...vector) || 1;
  const nearest: { cosine: number; at: number }[] = [];
  for (let at = 0; at < places.length; at += 1) {
    let dot = 0;
    const from = at * dims;
    for (let n = 0; n < dims; n += 1) dot += (vector[n] ?? 0) * (vectors[from + n] ?? 0);
    const cosine = dot / length;
    if (nearest.length === NEIGHBOURS && cosine <= (nearest.at(-1)?.cosine ?? -1)) continue;
    nearest.push({ cosine, at });
    nearest.sort((a, b) => b.cosine - a.cosine);
    if (nearest.length > NEIGHBOURS) nearest.pop();
  }
  const best = nearest[0]?.cosine ?? 0;
  let [x, y, sum] = [0, 0, 0];
  for (const { cosine, at } of nearest) {
    const [placeX, placeY] = places[at] ?? [0, 0];
    const weight = Math.exp(SHARPNESS * (cosine - best));
    x += weight * placeX;
    y += weight * placeY;
    sum += weight;
  }
  return [x / sum, y / sum];
}
