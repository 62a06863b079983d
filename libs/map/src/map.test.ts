import { expect, test } from 'vitest';
import { analyzerOf } from '@embedmill/sparse-weighting';
import { clustersOf, nearestCluster } from './clusters.ts';
import { placeNear } from './placement.ts';
import { project, type Place } from './projection.ts';
import { tellingWords } from './telling-words.ts';

const GROUPS = ['whales and the sea', 'bread and butter', 'songs of winter'];
const vectors = Array.from({ length: 60 }, (_, n) => {
  const vector = Float32Array.from(
    { length: 8 },
    (_value, d) => (n % 3 === d % 3 ? 1 : 0) + Math.sin(n * 7 + d) / 10,
  );
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
});

test('near vectors are near on the map, by both methods, and the same each time', () => {
  for (const method of ['umap', 'pca'] as const) {
    const places = project(vectors, method);
    expect(places).toEqual(project(vectors, method));
    const mean = (of: number): Place => {
      const own = places.filter((_, n) => n % 3 === of);
      const middle = (axis: 0 | 1) => own.reduce((sum, place) => sum + place[axis], 0) / own.length;
      return [middle(0), middle(1)];
    };
    const means = [0, 1, 2].map((of) => mean(of)).map(([x, y]) => ({ x, y }));
    for (const [n, place] of places.entries())
      expect(nearestCluster(place, means), `${method} ${n}`).toBe(n % 3);
  }
});

test('two vectors have places, too', () => {
  expect(project([Float32Array.of(1, 0), Float32Array.of(0, 1)], 'umap')).toEqual([
    [0, 0],
    [1, 0],
  ]);
});

test('later points are placed near similar ones, and all others stay in place', () => {
  const known = vectors.slice(0, 45);
  const places = project(known, 'umap');
  const all = Float32Array.from(known.flatMap((vector) => [...vector]));
  const landmarks = { dims: 8, vectors: all, places };
  const middles = [0, 1, 2].map((of) => {
    const own = places.filter((_, n) => n % 3 === of);
    const middle = (axis: 0 | 1) => own.reduce((sum, place) => sum + place[axis], 0) / own.length;
    return { x: middle(0), y: middle(1) };
  });
  for (const [n, vector] of vectors.slice(45).entries())
    expect(nearestCluster(placeNear(vector, landmarks), middles)).toBe(n % 3);
  expect(
    placeNear(
      vectors[45]!.map((value) => 7 * value),
      landmarks,
    ),
  ).toEqual(placeNear(vectors[45]!, landmarks).map((value) => expect.closeTo(value, 4)));
});

test('clusters are groups of neighbours, none is empty, and equal places are one', () => {
  const groupOf = (n: number) => n % 3;
  const grid = Array.from({ length: 240 }, (_, n): Place => [100 * groupOf(n) + (n % 7) / 10, (n % 5) / 10]);
  const clusters = clustersOf(grid);
  expect(clusters).toHaveLength(8);
  expect(clusters.reduce((sum, { size }) => sum + size, 0)).toBe(240);
  expect(clusters.every(({ size }) => size > 0)).toBe(true);
  for (const [n, place] of grid.entries()) {
    const cluster = clusters[nearestCluster(place, clusters)];
    expect(Math.round((cluster?.x ?? -1) / 100), `place ${n}`).toBe(groupOf(n));
  }
  expect(clustersOf(Array.from({ length: 500 }, (): Place => [1, 1]))).toEqual([{ x: 1, y: 1, size: 500 }]);
  expect(clustersOf([])).toEqual([]);
});

test('a cluster is named by the words that its texts have and others do not', () => {
  const texts = Array.from({ length: 30 }, (_, n) => `the story of ${GROUPS[n % 3]}`);
  const names = tellingWords(
    texts,
    texts.map((_, n) => n % 3),
    3,
    analyzerOf('english', 2),
  );
  expect(names[0]).toEqual(expect.arrayContaining(['whales', 'sea']));
  expect(names[1]).toEqual(expect.arrayContaining(['bread', 'butter']));
  expect(names[2]).toEqual(expect.arrayContaining(['songs', 'winter']));
  // Neither a stop word nor a word that all clusters share.
  expect(names.flat()).not.toContain('the');
  expect(names.flat()).not.toContain('story');
});
