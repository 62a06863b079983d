import {
  asEmbedmillError,
  EmbedmillError,
  type ErrorCode,
  type ErrorDetail,
  type PointId,
} from '@embedmill/jobs';
import type { DocumentKey, DocumentPoints, Point, PointPayload, VectorStore } from '../store.ts';

/** What can be called through the socket. Closing the store is left to the process that owns it. */
export const METHODS = [
  'createCollection',
  'getCollection',
  'listCollections',
  'deleteCollection',
  'countPoints',
  'findDocuments',
  'replaceDocuments',
  'deleteDocuments',
  'search',
  'ping',
] as const satisfies (keyof VectorStore)[];

export type Method = (typeof METHODS)[number];

export interface Request {
  id: number;
  method: Method;
  args: unknown[];
}

export type Response = { id: number; result: unknown } | { id: number; error: ErrorMessage };

/** An error of the catalogue on its way: what it says, without its cause. */
export interface ErrorMessage {
  code: ErrorCode;
  message: string;
  details: ErrorDetail[];
  retryAfter: number | undefined;
}

/**
 * Documents on their way to be written, of all their points each part in one piece: the structured clone of some
 * hundred small objects and arrays takes longer than all else that is done to store them.
 */
export interface PackedDocuments {
  /** As JSON: the documents' keys. */
  keys: string;
  /** Points of each document. */
  counts: Int32Array;
  /** The points' ids, then their payloads as JSON, each on a line of its own. */
  ids: string;
  payloads: string;
  /** Numbers of each point's vector. */
  lengths: Int32Array;
  vectors: Float32Array;
}

export function packDocuments(documents: DocumentPoints[]): PackedDocuments {
  const points = documents.flatMap((document) => document.points);
  const lengths = Int32Array.from(points, ({ dense }) => dense.length);
  const vectors = new Float32Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const { dense } of points) {
    vectors.set(dense, at);
    at += dense.length;
  }
  return {
    keys: JSON.stringify(documents.map(({ tenant, id }): DocumentKey => ({ tenant, id }))),
    counts: Int32Array.from(documents, (document) => document.points.length),
    ids: points.map(({ id }) => id).join('\n'),
    payloads: points.map(({ payload, payloadText }) => payloadText ?? JSON.stringify(payload)).join('\n'),
    lengths,
    vectors,
  };
}

export function unpackDocuments(packed: PackedDocuments): DocumentPoints[] {
  const { counts, lengths, vectors } = packed;
  const keys = JSON.parse(packed.keys) as DocumentKey[];
  const ids = packed.ids.split('\n') as PointId[];
  const payloads = packed.payloads.split('\n');
  let next = 0;
  let at = 0;
  const takePoint = (): Point => {
    const payloadText = payloads[next] ?? '{}';
    const payload = JSON.parse(payloadText) as PointPayload;
    const from = at;
    at += lengths[next] ?? 0;
    const id = ids[next] ?? ('' as PointId);
    next += 1;
    return { id, payload, payloadText, dense: vectors.subarray(from, at) };
  };
  return keys.map((key, document) => ({
    ...key,
    points: Array.from({ length: counts[document] ?? 0 }, takePoint),
  }));
}

export function errorMessage(thrown: unknown): ErrorMessage {
  const { code, message, details, retryAfter } = asEmbedmillError(thrown);
  return { code, message, details, retryAfter };
}

export function errorOf({ code, message, details, retryAfter }: ErrorMessage): EmbedmillError {
  return new EmbedmillError(code, message, { details, ...(retryAfter === undefined ? {} : { retryAfter }) });
}

/** A socket's path may be no longer than this on any system, in bytes. */
const LONGEST_PATH = 103;

/** @throws EmbedmillError `store_unavailable` for a path that the system would cut off or refuse. */
export function checkSocketPath(path: string): void {
  const length = Buffer.byteLength(path);
  if (length <= LONGEST_PATH) return;
  throw new EmbedmillError(
    'store_unavailable',
    `the socket path ${path} has ${length} bytes, ${LONGEST_PATH} at most are possible; set EMBEDMILL_STORE_SOCKET`,
  );
}
