import type { Place } from './projection.ts';

/** Points that were projected, by which others find their places: rows of one matrix, and where each of them is. */
export interface Landmarks {
  readonly dims: number;
  /** One vector behind another, of length 1 each. */
  readonly vectors: Float32Array;
  readonly places: readonly Place[];
}

/** Landmarks that decide where a point is. */
const NEIGHBOURS = 5;
/** How much nearer landmarks weigh more; of cosines, which lie close together. */
const SHARPNESS = 20;

/**
 * Where a vector belongs among the landmarks: in the middle of those it is most like, nearer to the nearer. A landmark
 * itself comes to lie close to its own place.
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
