import {
  EmbedmillError,
  type Collection,
  type SparseScheme,
  type SparseVector,
  type TokenVectors,
} from '@embedmill/jobs';
import { sparseSchemes } from '../collections.ts';
import { groupsOfBytes } from '../groups.ts';
import type { Point } from '../store.ts';
import { BYTES_A_FLOAT, JsonBytes } from './json-bytes.ts';
import { TOKENS } from './qdrant-collection.ts';
import { MOST_BYTES, MOST_POINTS, tokenRows } from './qdrant-points.ts';

/** Qdrant accepts bodies of up to 32 MiB, and breaks the connection on larger ones, which looks like an outage. */
const LARGEST_POINT = 31 * 1024 * 1024;
/** The bytes of a term's id, its weight and their commas. */
const BYTES_A_TERM = 11 + BYTES_A_FLOAT;
/** The bytes of a number in token vectors, with its sign and comma: `-63.5,`. */
const BYTES_A_BYTE = 6;
/** The bytes of a point's names and brackets. */
const BYTES_A_POINT = 512;

/** Splits points into upserts of a suitable size for Qdrant. */
export function upsertGroups(points: readonly Point[]): Point[][] {
  return groupsOfBytes(points, MOST_BYTES, pointBytes, MOST_POINTS);
}

/**
 * The body of an upsert, as bytes.
 *
 * @param rest its other fields
 */
export function upsertBody(collection: Collection, points: readonly Point[], rest: object): Uint8Array {
  const { vector, other } = collection;
  const schemes = sparseSchemes(collection);
  const end = `],${JSON.stringify(rest).slice(1)}`;
  const room = points.reduce((sum, point) => sum + pointBytes(point), 0);
  const body = new JsonBytes(room + Buffer.byteLength(end) + 16);
  body.ascii('{"points":[');
  for (const [n, point] of points.entries()) {
    const { dense, tokens, sparse } = point;
    body.ascii(`${n === 0 ? '' : ','}{"id":"${point.id}","vector":{"${vector}":`);
    body.floats(dense);
    if (other !== undefined && point.other !== undefined) {
      body.ascii(`,"${other.name}":`);
      body.floats(point.other);
    }
    if (tokens !== undefined && tokens.length > 0) {
      body.ascii(`,"${TOKENS}":${tokensText(tokens, dense.length)}`);
    }
    for (const scheme of schemes) writeTerms(body, scheme, sparse?.[scheme]);
    body.ascii('},"payload":');
    body.json(payloadText(point));
    body.ascii('}');
  }
  body.json(end);
  return body.written;
}

function writeTerms(body: JsonBytes, scheme: SparseScheme, terms: SparseVector | undefined): void {
  if (terms === undefined || terms.indices.length === 0) return;
  body.ascii(`,"${scheme}":{"indices":[${terms.indices.join()}],"values":`);
  body.floats(terms.values);
  body.ascii('}');
}

function tokensText(tokens: TokenVectors, dims: number): string {
  return `[${tokenRows(tokens, dims)
    .map((row) => `[${row.join()}]`)
    .join()}]`;
}

/** Serialised once, for its size and for the request. */
function payloadText(point: Point): string {
  return (point.payloadText ??= JSON.stringify(point.payload));
}

/** Measured once, for the check before writing and for the requests. */
const measured = new WeakMap<Point, number>();

/** @throws EmbedmillError `store_rejected` if a point does not fit into a request. */
export function checkSizes(points: readonly Point[]): void {
  for (const point of points) pointBytes(point);
}

/** An upper bound in bytes. */
function pointBytes(point: Point): number {
  const known = measured.get(point);
  if (known !== undefined) return known;
  const { dense, other, tokens, sparse, payload } = point;
  let terms = 0;
  for (const scheme in sparse) terms += sparse[scheme as SparseScheme]?.indices.length ?? 0;
  const bytes =
    BYTES_A_POINT +
    (dense.length + (other?.length ?? 0)) * BYTES_A_FLOAT +
    (tokens?.length ?? 0) * BYTES_A_BYTE +
    terms * BYTES_A_TERM +
    Buffer.byteLength(payloadText(point));
  if (bytes > LARGEST_POINT) {
    throw new EmbedmillError(
      'store_rejected',
      `document "${payload.document_id}", chunk ${payload.chunk_index}: ${bytes} bytes exceed Qdrant’s limit for a ` +
        `request (32 MiB); use a profile that cuts long documents into chunks`,
    );
  }
  measured.set(point, bytes);
  return bytes;
}
