import {
  shortestFloats,
  type Collection,
  type PointId,
  type SparseScheme,
  type SparseVector,
  type TokenVectors,
} from '@embedmill/jobs';
import { asBytes } from '@embedmill/retrieval';
import type { Schemas } from '@qdrant/js-client-rest';
import { groupsOfBytes } from '../groups.ts';
import { wholePayload } from '../payload.ts';
import type { PointPayload, StoredPoint, VectorAddition } from '../store.ts';
import { TOKENS } from './qdrant-collection.ts';

/** A suitable size for write requests to Qdrant. */
export const MOST_POINTS = 256;
export const MOST_BYTES = 5_000_000;
/** The approximate maximum bytes of a vector's number as JSON: nine digits. */
const BYTES_A_NUMBER = 16;

/** The bodies of requests that add second vectors. */
export function* additionBatches(
  name: string,
  additions: VectorAddition[],
): Generator<Schemas['PointVectors'][]> {
  const bytesOf = ({ values }: VectorAddition): number => values.length * BYTES_A_NUMBER;
  for (const some of groupsOfBytes(additions, MOST_BYTES, bytesOf, MOST_POINTS))
    yield some.map(({ id, values }) => ({ id, vector: { [name]: shortestFloats(values) } }));
}

/** A point with its vectors. */
export function storedPoint(collection: Collection, record: Schemas['Record']): StoredPoint {
  const { id, payload } = record;
  return { id: String(id) as PointId, ...vectorsIn(collection, record), payload: payloadOf(payload) };
}

/** A point's vectors. A point without the vector for searches, from an interrupted migration, has an empty one. */
export function vectorsIn(
  { vector, other }: Collection,
  { vector: vectors }: Schemas['Record'],
): Omit<StoredPoint, 'id' | 'payload'> {
  const named = (vectors ?? {}) as Record<
    string,
    number[] | number[][] | { indices: number[]; values: number[] }
  >;
  const sparse: { [Scheme in SparseScheme]?: SparseVector } = {};
  for (const [name, given] of Object.entries(named)) {
    if (Array.isArray(given) || given.indices.length === 0) continue;
    sparse[name as SparseScheme] = {
      indices: Uint32Array.from(given.indices),
      values: Float32Array.from(given.values),
    };
  }
  const second = other && named[other.name];
  const first = named[vector];
  const tokens = named[TOKENS];
  return {
    dense: Float32Array.from(Array.isArray(first) ? (first as number[]) : []),
    ...(Array.isArray(second) ? { other: Float32Array.from(second as number[]) } : {}),
    ...(Array.isArray(tokens) ? { tokens: tokensOf(tokens as number[][]) } : {}),
    sparse,
  };
}

/**
 * Token vectors for Qdrant, which normalises them. Qdrant would mistake few rows of integers for the indices of a
 * sparse vector, so all numbers are halved, which makes the greatest one fractional.
 */
export function tokenRows(tokens: TokenVectors, dims: number): number[][] {
  const rows = tokens.length / dims;
  const scale = rows > 2 ? 1 : 0.5;
  return Array.from({ length: rows }, (_, row) =>
    Array.from(tokens.subarray(row * dims, (row + 1) * dims), (value) => value * scale),
  );
}

/** The rows as written: the greatest number of each was 127. */
function tokensOf(rows: readonly number[][]): TokenVectors {
  return asBytes(Float32Array.from(rows.flat()), rows[0]?.length ?? 1);
}

/** The payload as written. */
export function payloadOf(payload: unknown): PointPayload {
  const written = { ...(payload as PointPayload & { confirmed?: unknown }) };
  // Fields for the order of sequences are internal to the store.
  delete written.confirmed;
  return wholePayload(written);
}
