import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import type { AnalysisVersion, Language } from '@embedmill/jobs';
import {
  clustersOf,
  nearestCluster,
  placeNear,
  project,
  tellingWords,
  type Place,
  type Projection,
} from '@embedmill/map';
import { analyzerOf } from '@embedmill/sparse-weighting';
import type { MapCluster } from './collection-map.ts';

/**
 * The thread in which one map is computed. map-computing.ts starts and ends it. It projects landmarks (`chart`), or
 * takes those of an existing map (`adopt`), and then places points relative to them, a page at a time. It holds only
 * the landmarks and one page, however many points there are.
 */
export type ToMapThread =
  | {
      kind: 'chart';
      dims: number;
      vectors: Float32Array;
      texts: string[];
      method: Projection;
      language: Language;
      analysis: AnalysisVersion | undefined;
    }
  | { kind: 'adopt'; dims: number; vectors: Float32Array; places: Float32Array; clusters: MapCluster[] }
  | { kind: 'place'; vectors: Float32Array };

export type FromMapThread =
  | { kind: 'progress'; part: number }
  | { kind: 'charted'; places: Float32Array; clusters: MapCluster[] }
  | { kind: 'adopted' }
  | { kind: 'placed'; places: Float32Array; clusters: Uint8Array };

/** A value for `nice`: requests that wait for an answer go first. */
const LOW_PRIORITY = 10;
const port = parentPort;
if (port === null) throw new Error('this is a thread, started by map-computing.ts');
// Linux sets the priority per thread; elsewhere this would affect the whole process.
if (process.platform === 'linux') setPriority(0, LOW_PRIORITY);

let dims = 0;
let vectors: Float32Array = new Float32Array();
let places: Place[] = [];
let clusters: MapCluster[] = [];
const say = (message: FromMapThread): void => port.postMessage(message);

port.on('message', (message: ToMapThread) => {
  switch (message.kind) {
    case 'chart':
      dims = message.dims;
      vectors = message.vectors;
      chart(message);
      say({ kind: 'charted', places: Float32Array.from(places.flat()), clusters });
      break;
    case 'adopt':
      dims = message.dims;
      vectors = message.vectors;
      clusters = message.clusters;
      places = pairsOf(message.places);
      say({ kind: 'adopted' });
      break;
    case 'place':
      say(placed(message.vectors));
  }
});

function chart({ texts, method, language, analysis }: Extract<ToMapThread, { kind: 'chart' }>): void {
  places = project(rowsOf(vectors), method, (part) => say({ kind: 'progress', part }));
  const found = clustersOf(places);
  const nearest = places.map((place) => nearestCluster(place, found));
  const words = tellingWords(texts, nearest, found.length, analyzerOf(language, analysis));
  clusters = found.map(({ x, y }, n) => ({ x, y, size: 0, words: words[n] ?? [] }));
}

function placed(given: Float32Array): FromMapThread {
  const found = rowsOf(given).map((vector) => placeNear(vector, { dims, vectors, places }));
  const nearest = found.map((place) => nearestCluster(place, clusters));
  return { kind: 'placed', places: Float32Array.from(found.flat()), clusters: Uint8Array.from(nearest) };
}

function rowsOf(matrix: Float32Array): Float32Array[] {
  const rows = dims === 0 ? 0 : matrix.length / dims;
  return Array.from({ length: rows }, (_, n) => matrix.subarray(n * dims, (n + 1) * dims));
}

function pairsOf(flat: Float32Array): Place[] {
  return Array.from({ length: flat.length / 2 }, (_, n): Place => [flat[2 * n] ?? 0, flat[2 * n + 1] ?? 0]);
}
