import type { Place } from './projection.ts';
import { seeded } from './seeded.ts';

/** A cluster of the map: its centre, and how many of the given places are nearest to it. */
export interface Cluster {
  x: number;
  y: number;
  size: number;
}

const ROUNDS = 30;
const SEED = 0x51ed270b;
const MOST_CLUSTERS = 24;

/** Clusters places by k-means (Lloyd 1982) with k-means++ seeding (Arthur and Vassilvitskii 2007). */
export function clustersOf(places: readonly Place[]): Cluster[] {
  const wanted = Math.min(MOST_CLUSTERS, Math.ceil(Math.sqrt(places.length) / 2));
  let clusters = firstOf(places, wanted);
  for (let round = 0; round < ROUNDS; round += 1) {
    const sums = clusters.map(() => ({ x: 0, y: 0, size: 0 }));
    for (const place of places) {
      const sum = sums[nearestCluster(place, clusters)];
      if (sum === undefined) continue;
      sum.x += place[0];
      sum.y += place[1];
      sum.size += 1;
    }
    clusters = sums
      .filter(({ size }) => size > 0)
      .map(({ x, y, size }) => ({ x: x / size, y: y / size, size }));
  }
  return clusters;
}

/** The index of the nearest cluster. */
export function nearestCluster([x, y]: Place, clusters: readonly Pick<Cluster, 'x' | 'y'>[]): number {
  let [nearest, least] = [0, Infinity];
  for (const [n, cluster] of clusters.entries()) {
    const distance = (cluster.x - x) ** 2 + (cluster.y - y) ** 2;
    if (distance < least) [nearest, least] = [n, distance];
  }
  return nearest;
}

/** A place is the likelier to be the next seed, the farther it is from the previous ones. */
function firstOf(places: readonly Place[], wanted: number): Cluster[] {
  const random = seeded(SEED);
  const seeds: Cluster[] = [];
  const [first] = places;
  if (first === undefined) return seeds;
  seeds.push({ x: first[0], y: first[1], size: 0 });
  while (seeds.length < wanted) {
    const distances = places.map((place) => {
      const near = seeds[nearestCluster(place, seeds)];
      return near === undefined ? 0 : (near.x - place[0]) ** 2 + (near.y - place[1]) ** 2;
    });
    const all = distances.reduce((sum, one) => sum + one, 0);
    if (all === 0) break;
    let left = random() * all;
    const at = distances.findIndex((one) => (left -= one) < 0);
    const [x, y] = places[at === -1 ? places.length - 1 : at] ?? first;
    seeds.push({ x, y, size: 0 });
  }
  return seeds;
}
