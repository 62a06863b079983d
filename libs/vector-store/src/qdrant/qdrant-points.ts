import {
  EmbedmillError,
  shortestFloats,
  type Collection,
  type Json,
  type PointId,
  type SparseScheme,
  type SparseVector,
  type TokenVectors,
} from '@embedmill/jobs';
import { asBytes } from '@embedmill/retrieval';
import type { Schemas } from '@qdrant/js-client-rest';
import { sparseSchemes } from '../collections.ts';
import { groupsOfBytes } from '../groups.ts';
import { wholePayload } from '../payload.ts';
import type { Point, PointPayload, StoredPoint, VectorAddition } from '../store.ts';
import { TOKENS } from './qdrant-collection.ts';

const MOST_POINTS = 256;
const MOST_BYTES = 5_000_000;
/** Qdrant takes bodies up to 32 MiB and breaks the connection on larger ones, which looks like an outage. */
const LARGEST_POINT = 31 * 1024 * 1024;
/** Bytes of a vector's number as JSON, at most about: in nine digits. */
const BYTES_A_NUMBER = 16;
/** Bytes of a term's id and its weight, which is a float32 written as a double. */
const BYTES_A_TERM = 11 + 22;
/** Bytes of a number of token vectors: a whole one of three digits, with its sign and comma. */
const BYTES_A_BYTE = 5;

/**
 * Points as the bodies of upserts, cut to what is a good size for Qdrant.
 *
 * @throws EmbedmillError `store_rejected` for a point that no request can hold.
 */
export function upsertBatches(
  collection: Collection,
  points: readonly Point[],
): Generator<Schemas['PointStruct'][]> {
  const schemes = sparseSchemes(collection);
  return batches(points, pointBytes, (point) => ({
    id: point.id,
    vector: vectorsOf(collection, schemes, point),
    payload: { ...point.payload },
  }));
}

/** Second vectors as the bodies of updates. */
export function additionBatches(
  name: string,
  additions: VectorAddition[],
): Generator<Schemas['PointVectors'][]> {
  return batches(
    additions,
    ({ values }) => values.length * BYTES_A_NUMBER,
    ({ id, values }) => ({ id, vector: { [name]: shortestFloats(values) } }),
  );
}

/** A point with its vectors. */
export function storedPoint(collection: Collection, record: Schemas['Record']): StoredPoint {
  const { id, payload } = record;
  return { id: String(id) as PointId, ...vectorsIn(collection, record), payload: payloadOf(payload) };
}

/** A point's vectors. One that has no vector to search by, of a migration cut short, has an empty one. */
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
 * Dense vectors in the fewest digits that are exact: of 384 numbers 5,195 bytes instead of 8,049. A point takes a writer 85 to
 * 92 µs of CPU, with doubles 101 to 117 (`node libs/vector-store/src/qdrant/bench-upsert.ts`). `@qdrant/js-client-grpc` took
 * 93 where these took 85 and 101: not worth a second client.
 */
function vectorsOf(
  { vector, other }: Collection,
  schemes: SparseScheme[],
  point: Point,
): Record<string, number[] | number[][] | Schemas['SparseVector']> {
  const vectors: Record<string, number[] | number[][] | Schemas['SparseVector']> = {
    [vector]: shortestFloats(point.dense),
  };
  if (other !== undefined && point.other !== undefined) vectors[other.name] = shortestFloats(point.other);
  if (point.tokens !== undefined && point.tokens.length > 0)
    vectors[TOKENS] = tokenRows(point.tokens, point.dense.length);
  for (const scheme of schemes) {
    const terms = point.sparse?.[scheme];
    if (terms === undefined || terms.indices.length === 0) continue;
    vectors[scheme] = { indices: Array.from(terms.indices), values: Array.from(terms.values) };
  }
  return vectors;
}

/**
 * Token vectors as Qdrant takes them, whose lengths it makes 1. Of one row or two whole numbers, it would take the first for
 * the indices of a sparse vector: so they are halves there, of which the greatest is none.
 */
export function tokenRows(tokens: TokenVectors, dims: number): number[][] {
  const rows = tokens.length / dims;
  const scale = rows > 2 ? 1 : 0.5;
  return Array.from({ length: rows }, (_, row) =>
    Array.from(tokens.subarray(row * dims, (row + 1) * dims), (value) => value * scale),
  );
}

/** Rows as they were written: the greatest number of each was 127. */
function tokensOf(rows: readonly number[][]): TokenVectors {
  return asBytes(Float32Array.from(rows.flat()), rows[0]?.length ?? 1);
}

function* batches<T, B>(
  items: readonly T[],
  bytesOf: (item: T) => number,
  bodyOf: (item: T) => B,
): Generator<B[]> {
  for (const some of groupsOfBytes(items, MOST_BYTES, bytesOf, MOST_POINTS)) yield some.map(bodyOf);
}

/** Measured once: before anything is written, and for the requests. */
const measured = new WeakMap<Point, number>();

/** @throws EmbedmillError `store_rejected` where a point is more than a request can hold. */
export function checkSizes(points: readonly Point[]): void {
  for (const point of points) pointBytes(point);
}

function pointBytes(point: Point): number {
  const known = measured.get(point);
  if (known !== undefined) return known;
  const { dense, other, tokens, sparse, payload } = point;
  const numbers = dense.length + (other?.length ?? 0);
  const terms = Object.values(sparse ?? {}).reduce((sum, vector) => sum + (vector?.indices.length ?? 0), 0);
  const bytes =
    numbers * BYTES_A_NUMBER +
    (tokens?.length ?? 0) * BYTES_A_BYTE +
    terms * BYTES_A_TERM +
    Buffer.byteLength(JSON.stringify(payload));
  if (bytes > LARGEST_POINT) {
    throw new EmbedmillError(
      'store_rejected',
      `document "${payload.document_id}", chunk ${payload.chunk_index}: ${bytes} bytes are more than Qdrant takes in a ` +
        `request (32 MiB); use a profile that cuts long documents into chunks`,
    );
  }
  measured.set(point, bytes);
  return bytes;
}

/** A payload as it was written: the client reads integers beyond 2^53 as bigints, which JSON has not. */
export function payloadOf(payload: unknown): PointPayload {
  const written = withoutBigints(payload) as unknown as PointPayload & { confirmed?: unknown };
  // Of the order of sequences, which is the store's affair.
  delete written.confirmed;
  return wholePayload(written);
}

function withoutBigints(value: unknown): Json {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(withoutBigints);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutBigints(inner)]));
  }
  return value as Json;
}
