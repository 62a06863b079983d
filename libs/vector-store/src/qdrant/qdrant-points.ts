import { EmbedmillError, type Json } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import type { Point, PointPayload } from '../store.ts';

/** The name of the vector in Qdrant. */
export const VECTOR = 'dense';

const MOST_POINTS = 256;
const MOST_BYTES = 5_000_000;
/** Qdrant takes bodies up to 32 MiB and breaks the connection on larger ones, which looks like an outage. */
const LARGEST_POINT = 31 * 1024 * 1024;
/** Bytes of a number as JSON, at most about: a float32 written as a double. */
const BYTES_A_NUMBER = 22;

/**
 * Points as the bodies of upserts, cut to what is a good size for Qdrant.
 *
 * @throws EmbedmillError `store_rejected` for a point that no request can hold.
 */
export function* upsertBatches(points: Point[]): Generator<Schemas['PointStruct'][]> {
  let batch: Schemas['PointStruct'][] = [];
  let bytes = 0;
  for (const point of points) {
    const size = pointBytes(point);
    if (batch.length > 0 && (batch.length === MOST_POINTS || bytes + size > MOST_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push({
      id: point.id,
      vector: { [VECTOR]: Array.from(point.dense) },
      payload: { ...point.payload },
    });
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

function pointBytes({ dense, payload }: Point): number {
  const bytes = dense.length * BYTES_A_NUMBER + Buffer.byteLength(JSON.stringify(payload));
  if (bytes > LARGEST_POINT) {
    throw new EmbedmillError(
      'store_rejected',
      `document "${payload.document_id}", chunk ${payload.chunk_index}: ${bytes} bytes are more than Qdrant takes in a ` +
        `request (32 MiB); use a profile that cuts long documents into chunks`,
    );
  }
  return bytes;
}

/** A payload as it was written: the client reads integers beyond 2^53 as bigints, which JSON has not. */
export function payloadOf(payload: unknown): PointPayload {
  return withoutBigints(payload) as unknown as PointPayload;
}

function withoutBigints(value: unknown): Json {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(withoutBigints);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutBigints(inner)]));
  }
  return value as Json;
}
