import { Worker } from 'node:worker_threads';
import {
  childEnvironment,
  spokenText,
  type Collection,
  type CollectionName,
  type PointId,
} from '@embedmill/jobs';
import type { StoredPoint, VectorStore } from '@embedmill/vector-store';
import type { MapCluster, MapPoints, MapRequest, MapValue } from './collection-map.ts';
import type { FromMapThread, ToMapThread } from './map-thread.ts';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const THREAD = new URL(`./map-thread.${extension}`, import.meta.url);
const HEAP_MB = 1024;

/** Points that are projected; all others are placed relative to them. */
const LANDMARKS = 2000;
/** Points that are read and placed at once. */
const PAGE = 250;
/** Progress reached after reading the landmarks, and after projecting them; placing all points is the rest. */
const READ_PART = 0.2;
const CHART_PART = 0.5;

/** The landmarks by which points are placed, as they are kept. */
export interface KeptLandmarks {
  dims: number;
  vectors: Float32Array;
  places: Float32Array;
}

export interface ComputedMap {
  map: MapPoints;
  landmarks: KeptLandmarks;
  total: number;
}

export interface MapWork {
  collection: Collection;
  request: Pick<MapRequest, 'fields' | 'method' | 'points'>;
  /** The existing map, whose points stay in place. */
  known: { map: MapPoints; landmarks: KeptLandmarks } | undefined;
  signal: AbortSignal;
  onProgress: (part: number) => void;
}

/** Computes a map, or updates one, in a thread of its own. It reads only what the store returns to the caller. */
export async function computeMap(
  store: Pick<VectorStore, 'countPoints' | 'scanPoints'>,
  { collection, request, known, signal, onProgress }: MapWork,
): Promise<ComputedMap> {
  const name = collection.name as CollectionName;
  const total = await store.countPoints(name);
  const thread = new MapThread((part) => onProgress(READ_PART + part * (CHART_PART - READ_PART)), signal);
  try {
    const { landmarks, clusters } =
      known === undefined
        ? await charted(thread, { collection, request, total, store, onProgress })
        : await adopted(thread, known);
    const every = Math.max(1, Math.ceil(total / request.points));
    const map = emptyMap(request.fields, clusters);
    const places = known === undefined ? new Map<string, number>() : placesOf(known.map);
    let seen = 0;
    for await (const page of pagesOf(store, name, signal)) {
      const chosen = page.filter(() => seen++ % every === 0);
      const isNew = ({ id }: StoredPoint): boolean => !places.has(id);
      const fresh = await thread.place(packed(chosen.filter(isNew).map(({ dense }) => dense)));
      let next = 0;
      for (const point of chosen) {
        const at = places.get(point.id);
        if (at !== undefined && known !== undefined) addKnown(map, point, known.map, at);
        else addPlaced(map, point, fresh, next++);
      }
      onProgress(CHART_PART + (1 - CHART_PART) * Math.min(1, seen / Math.max(1, total)));
    }
    for (const n of map.cluster) {
      const cluster = map.clusters[n];
      if (cluster !== undefined) cluster.size += 1;
    }
    return { map, landmarks, total };
  } finally {
    await thread.end();
  }
}

async function charted(
  thread: MapThread,
  {
    collection,
    request,
    total,
    store,
    onProgress,
  }: Pick<MapWork, 'collection' | 'request' | 'onProgress'> & {
    total: number;
    store: Pick<VectorStore, 'scanPoints'>;
  },
): Promise<{ landmarks: KeptLandmarks; clusters: MapCluster[] }> {
  const { profile, analysis, dims, name } = collection;
  // Ids are as good as random, so every nth point is a fair sample.
  const every = Math.max(1, Math.ceil(total / LANDMARKS));
  const rows: Float32Array[] = [];
  const texts: string[] = [];
  let seen = 0;
  for await (const page of pagesOf(store, name as CollectionName, thread.signal)) {
    for (const { dense, payload } of page) {
      if (seen++ % every !== 0 || rows.length >= LANDMARKS) continue;
      rows.push(unit(dense));
      texts.push(spokenText(payload));
    }
    onProgress(READ_PART * Math.min(1, seen / Math.max(1, total)));
  }
  const vectors = packed(rows);
  const language = profile.sparse.bm25?.language ?? 'auto';
  const { places, clusters } = await thread.chart({
    kind: 'chart',
    dims: rows[0]?.length ?? dims,
    vectors,
    texts,
    method: request.method,
    language,
    analysis,
  });
  return { landmarks: { dims: rows[0]?.length ?? dims, vectors, places }, clusters };
}

async function adopted(
  thread: MapThread,
  { map, landmarks }: NonNullable<MapWork['known']>,
): Promise<{ landmarks: KeptLandmarks; clusters: MapCluster[] }> {
  const clusters = map.clusters.map((cluster) => ({ ...cluster, size: 0 }));
  await thread.adopt({ kind: 'adopt', ...landmarks, clusters });
  return { landmarks, clusters };
}

async function* pagesOf(
  store: Pick<VectorStore, 'scanPoints'>,
  name: CollectionName,
  signal: AbortSignal,
): AsyncGenerator<StoredPoint[]> {
  let after: PointId | undefined;
  for (;;) {
    signal.throwIfAborted();
    const page = await store.scanPoints(name, { limit: PAGE, after });
    if (page.length > 0) yield page;
    if (page.length < PAGE) return;
    after = page.at(-1)?.id;
  }
}

function emptyMap(fields: readonly string[], clusters: MapCluster[]): MapPoints {
  const values = Object.fromEntries(fields.map((field): [string, MapValue[]] => [field, []]));
  return { points: [], documents: [], chunks: [], x: [], y: [], cluster: [], values, clusters };
}

function placesOf({ points }: MapPoints): Map<string, number> {
  return new Map(points.map((point, n) => [point, n]));
}

function addKnown(map: MapPoints, point: StoredPoint, known: MapPoints, at: number): void {
  add(map, point, known.x[at] ?? 0, known.y[at] ?? 0, known.cluster[at] ?? 0);
}

function addPlaced(
  map: MapPoints,
  point: StoredPoint,
  { places, clusters }: { places: Float32Array; clusters: Uint8Array },
  at: number,
): void {
  const rounded = (value: number): number => Math.round(1000 * value) / 1000;
  add(map, point, rounded(places[2 * at] ?? 0), rounded(places[2 * at + 1] ?? 0), clusters[at] ?? 0);
}

function add(map: MapPoints, { id, payload }: StoredPoint, x: number, y: number, cluster: number): void {
  map.points.push(id);
  map.documents.push(payload.document_id);
  map.chunks.push(payload.chunk_index);
  map.x.push(x);
  map.y.push(y);
  map.cluster.push(cluster);
  for (const [field, values] of Object.entries(map.values)) values.push(valueOf(payload.metadata[field]));
}

function valueOf(value: unknown): MapValue {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return Array.isArray(value) ? value.map(String).join(', ') : null;
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}

function packed(rows: readonly Float32Array[]): Float32Array {
  const dims = rows[0]?.length ?? 0;
  const matrix = new Float32Array(dims * rows.length);
  for (const [n, row] of rows.entries()) matrix.set(row, n * dims);
  return matrix;
}

/** One map's thread. It takes one request at a time, which rejects if the thread dies or the signal aborts. */
class MapThread {
  readonly signal: AbortSignal;
  readonly #worker: Worker;
  readonly #onProgress: (part: number) => void;

  constructor(onProgress: (part: number) => void, signal: AbortSignal) {
    this.signal = signal;
    this.#onProgress = onProgress;
    this.#worker = new Worker(THREAD, {
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
      env: childEnvironment(process.env, {}),
    });
    this.#worker.on('message', (message: FromMapThread) => {
      if (message.kind === 'progress') this.#onProgress(message.part);
    });
    // The pending request rejects; this listener only keeps the error from being uncaught.
    this.#worker.on('error', () => undefined);
  }

  chart(message: Extract<ToMapThread, { kind: 'chart' }>) {
    return this.#ask(message, 'charted');
  }

  adopt(message: Extract<ToMapThread, { kind: 'adopt' }>) {
    return this.#ask(message, 'adopted');
  }

  place(vectors: Float32Array) {
    return this.#ask({ kind: 'place', vectors }, 'placed');
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  async #ask<Kind extends FromMapThread['kind']>(
    message: ToMapThread,
    kind: Kind,
  ): Promise<Extract<FromMapThread, { kind: Kind }>> {
    this.signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Extract<FromMapThread, { kind: Kind }>>();
    const onMessage = (answer: FromMapThread): void => {
      if (isOf(answer, kind)) resolve(answer);
    };
    const onExit = (): void => reject(new Error('the thread that computes the map ended'));
    const onAbort = (): void => reject(this.signal.reason as Error);
    this.#worker.on('message', onMessage).on('error', reject).on('exit', onExit);
    this.signal.addEventListener('abort', onAbort, { once: true });
    try {
      this.#worker.postMessage(message);
      return await promise;
    } finally {
      this.#worker.off('message', onMessage).off('error', reject).off('exit', onExit);
      this.signal.removeEventListener('abort', onAbort);
    }
  }
}

function isOf<Kind extends FromMapThread['kind']>(
  message: FromMapThread,
  kind: Kind,
): message is Extract<FromMapThread, { kind: Kind }> {
  return message.kind === kind;
}
