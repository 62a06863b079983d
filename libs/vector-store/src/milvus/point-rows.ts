import {
  EmbedmillError,
  type Collection,
  type PointId,
  type SparseScheme,
  type SparseVector,
  WITH_IDF,
} from '@embedmill/jobs';
import { sparseSchemes } from '../collections.ts';
import { wholePayload } from '../payload.ts';
import type { Point, PointPayload, PointVectors, StoredPoint } from '../store.ts';
import { filterColumnsOf, FACTS, MOST_ENTRIES, RANGES } from './filter-columns.ts';

/**
 * How a point is stored in Milvus: one row per version, whose key is the point's id and the sequence it was written
 * under. So writers of a point never overwrite one another, in a store without conditional writes; the version with the
 * greatest sequence is the point (see milvus-writes.ts).
 *
 * The payload is JSON in pieces, because Milvus' texts have at most 65,535 bytes. Milvus does not accept empty sparse
 * vectors: they are represented by a vector with one negligible weight.
 */
export type Row = Record<string, unknown>;

export const KEY = 'id';
export const PAYLOAD = 'payload';
/** The vector of a table. */
export const VECTOR = 'dense';

/** UTF-16 units per piece, of at most 3 bytes each. */
const PIECE = 20_000;
export const MOST_PIECES = 1024;
const NO_TERMS = { 0: 1e-30 };
/** Milvus' last dimension; our terms are far smaller. */
const LARGEST_TERM = 2 ** 32 - 2;
/** Scores below this mean no common terms. */
export const LEAST_SCORE = 1e-20;

const SEQUENCE_DIGITS = 16;

export function rowKey(point: PointId | string, sequence: number): string {
  return `${point}:${String(sequence).padStart(SEQUENCE_DIGITS, '0')}`;
}

export function pointIn(key: string): PointId {
  return key.slice(0, key.indexOf(':')) as PointId;
}

/** Sorts after the keys of all versions of a point, and before those of the next point. */
export function keyAfter(point: PointId): string {
  return `${point};`;
}

/** The column of a scheme's terms, only for schemes that need document frequencies. */
export function termsColumn(scheme: SparseScheme): string {
  return `${scheme}_terms`;
}

/** The fact that a point has any terms of a scheme. */
export function schemeFact(scheme: SparseScheme): string {
  return `#${scheme}`;
}

export function countedSchemes(collection: Collection): SparseScheme[] {
  return sparseSchemes(collection).filter((scheme) => WITH_IDF.has(scheme));
}

/** Creates the rows of points with one of their dense vectors; `document` is the id of the document's chunk 0. */
export function rowsOf(
  collection: Collection,
): (point: Point, document: PointId, dense: Float32Array) => Row {
  const columnsOf = filterColumnsOf(collection);
  const schemes = sparseSchemes(collection);
  return (point, document, dense) => {
    const { payload, payloadText = JSON.stringify(payload) } = point;
    const { facts, ranges } = columnsOf(payload);
    const row: Row = {
      [KEY]: rowKey(point.id, payload.sequence),
      point: point.id,
      document,
      tenant: payload.tenant,
      document_id: payload.document_id,
      chunk_index: payload.chunk_index,
      chunk_count: payload.chunk_count,
      sequence: payload.sequence,
      fingerprint: payload.fingerprint,
      job_id: payload.job_id,
      source: payload.source ?? null,
      [PAYLOAD]: payloadPieces(payload, payloadText),
      [FACTS]: facts,
      [RANGES]: ranges,
      [VECTOR]: Array.from(dense),
    };
    for (const scheme of schemes) {
      const terms = point.sparse?.[scheme];
      const has = terms !== undefined && terms.indices.length > 0;
      if (has) checkTerms(terms, payload);
      row[scheme] = has ? sparseRow(terms) : NO_TERMS;
      if (!WITH_IDF.has(scheme)) continue;
      row[termsColumn(scheme)] = has ? termList(terms, payload) : [];
      if (has) facts.push(schemeFact(scheme));
    }
    return row;
  };
}

/** Splits a text into pieces that fit into Milvus, without splitting characters. */
export function pieces(text: string): string[] {
  const list: string[] = [];
  for (let from = 0; from < text.length;) {
    let to = Math.min(from + PIECE, text.length);
    const last = text.charCodeAt(to - 1);
    if (to < text.length && last >= 0xd800 && last < 0xdc00) to -= 1;
    list.push(text.slice(from, to));
    from = to;
  }
  return list;
}

/** A vector's weights by dimension, as returned by Milvus. */
export function sparseRow({ indices, values }: SparseVector): Record<number, number> {
  const row: Record<number, number> = {};
  for (const [at, term] of indices.entries()) if (term <= LARGEST_TERM) row[term] = values[at] ?? 0;
  return row;
}

export function payloadIn(row: Row): PointPayload {
  return wholePayload(JSON.parse((row[PAYLOAD] as string[]).join('')) as PointPayload);
}

/** A point's vectors, from its row. */
export function vectorsIn(collection: Collection, row: Row): PointVectors {
  const sparse: { [Scheme in SparseScheme]?: SparseVector } = {};
  for (const scheme of sparseSchemes(collection)) {
    const terms = sparseIn(row[scheme]);
    if (terms !== undefined) sparse[scheme] = terms;
  }
  return { dense: Float32Array.from(row[VECTOR] as number[]), sparse };
}

/** A point with its vectors; `other` is the row with its second one. */
export function storedPoint(collection: Collection, row: Row, other: Row | undefined): StoredPoint {
  return {
    id: pointIn(row[KEY] as string),
    ...vectorsIn(collection, row),
    ...(other === undefined ? {} : { other: Float32Array.from(other[VECTOR] as number[]) }),
    payload: payloadIn(row),
  };
}

function sparseIn(held: unknown): SparseVector | undefined {
  const entries = Object.entries((held ?? {}) as Record<string, number>)
    .map(([term, weight]) => [Number(term), weight] as const)
    .filter(([, weight]) => weight > LEAST_SCORE)
    .sort(([a], [b]) => a - b);
  if (entries.length === 0) return undefined;
  return {
    indices: Uint32Array.from(entries, ([term]) => term),
    values: Float32Array.from(entries, ([, weight]) => weight),
  };
}

function checkTerms({ indices }: SparseVector, payload: PointPayload): void {
  const last = indices.at(-1) ?? 0;
  if (last <= LARGEST_TERM) return;
  const { document_id: id, chunk_index: chunk } = payload;
  const where = `document "${id}", chunk ${chunk}`;
  throw new EmbedmillError(
    'store_rejected',
    `${where}: Milvus does not support the dimension ${last} in sparse vectors`,
  );
}

function termList({ indices }: SparseVector, payload: PointPayload): number[] {
  if (indices.length > MOST_ENTRIES)
    throw tooLarge(
      payload,
      `${indices.length} different words, but Milvus allows at most ${MOST_ENTRIES} list entries`,
    );
  return Array.from(indices);
}

/** The payload from its column. */
export function payloadPieces(payload: PointPayload, text = JSON.stringify(payload)): string[] {
  const list = pieces(text);
  if (list.length > MOST_PIECES)
    throw tooLarge(
      payload,
      `a payload of ${text.length} characters, but Milvus allows at most ${PIECE * MOST_PIECES}`,
    );
  return list;
}

function tooLarge({ document_id: id, chunk_index: chunk }: PointPayload, why: string): EmbedmillError {
  return new EmbedmillError(
    'store_rejected',
    `document "${id}", chunk ${chunk}: it has ${why}; use a profile that cuts long documents into chunks`,
  );
}
