import { parseKept, type Collection } from '@embedmill/jobs';
import { keptStateSchema, NO_MAP, type MapPoints, type MapState } from './collection-map.ts';
import type { KeptLandmarks } from './map-computing.ts';
import type { ApiParts } from '../parts.ts';

/** If nobody renewed a `computing` state for this long, its process has died. */
const ABANDONED_MS = 60_000;

type Maps = ApiParts['spool']['maps'];

/** The state of the collection's map of the documents that the caller may see. */
export async function readMapState(maps: Maps, collection: Collection, now: number): Promise<MapState> {
  const bytes = await maps.find(collection, 'state');
  if (bytes === undefined) return NO_MAP;
  const { at, ...state } = parseKept(keptStateSchema, JSON.parse(bytes.toString('utf8')));
  if (state.state !== 'computing' || now - at < ABANDONED_MS) return state;
  return { ...state, state: 'failed', error: 'the process that computed the map ended; compute it again' };
}

export async function keepMapState(
  maps: Maps,
  collection: Collection,
  state: MapState,
  now: number,
): Promise<void> {
  await maps.keep(collection, 'state', Buffer.from(JSON.stringify({ ...state, at: now })));
}

/** The kept map, from which an update continues; undefined if there is none. */
export async function readKnownMap(
  maps: Maps,
  collection: Collection,
): Promise<{ map: MapPoints; landmarks: KeptLandmarks } | undefined> {
  const [points, landmarks] = await Promise.all([
    maps.find(collection, 'points'),
    maps.find(collection, 'landmarks'),
  ]);
  if (points === undefined || landmarks === undefined) return undefined;
  return {
    // Not validated: `keepMap` wrote it, and checking a hundred thousand points would block the event loop for too
    // long.
    map: JSON.parse(points.toString('utf8')) as MapPoints,
    landmarks: landmarksIn(landmarks),
  };
}

export async function keepMap(
  maps: Maps,
  collection: Collection,
  { map, landmarks }: { map: MapPoints; landmarks: KeptLandmarks },
): Promise<void> {
  await maps.keep(collection, 'landmarks', bytesOf(landmarks));
  await maps.keep(collection, 'points', Buffer.from(JSON.stringify(map)));
}

/** `[dims, landmarks]` as int32, then the landmarks' places and vectors as float32, little-endian. */
function bytesOf({ dims, vectors, places }: KeptLandmarks): Buffer {
  const head = Int32Array.of(dims, places.length / 2);
  return Buffer.concat(
    [head, places, vectors].map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength)),
  );
}

function landmarksIn(bytes: Buffer): KeptLandmarks {
  const aligned = new Uint8Array(bytes).buffer;
  const [dims = 0, count = 0] = new Int32Array(aligned, 0, 2);
  return {
    dims,
    places: new Float32Array(aligned, 8, 2 * count),
    vectors: new Float32Array(aligned, 8 + 8 * count, dims * count),
  };
}
