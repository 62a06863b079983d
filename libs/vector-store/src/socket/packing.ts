import {
  EmbedmillError,
  SPARSE_SCHEMES,
  type PointId,
  type SparseScheme,
  type SparseVector,
  type TokenVectors,
} from '@embedmill/jobs';
import { groupsOfBytes } from '../groups.ts';
import type {
  DocumentKey,
  DocumentPoints,
  DocumentVersion,
  FoundDocument,
  Point,
  PointPayload,
  ScoredPoint,
  StoredPoint,
  VectorAddition,
} from '../store.ts';

/**
 * Points packed for the socket, column by column: the structured clone of hundreds of small objects and arrays would
 * take longer than all other work to store them.
 */
export interface PackedPoints extends PackedPointVectors {
  /** JSON, one per line. */
  payloads: string;
}

/** Points without their payloads. */
export interface PackedPointVectors {
  /** One per line. */
  ids: string;
  dense: PackedVectors;
  /** Absent if no point has one. */
  other: PackedVectors | undefined;
  /** Absent if no point has any. */
  tokens: PackedTokens | undefined;
  sparse: { scheme: SparseScheme; terms: PackedTerms }[];
}

/** The length of each vector, and all numbers; a missing vector has length -1. */
interface PackedVectors {
  lengths: Int32Array;
  values: Float32Array;
}

/** The bytes of each point's token vectors, and all bytes; a point without any has -1. */
interface PackedTokens {
  lengths: Int32Array;
  values: Int8Array;
}

interface PackedTerms extends PackedVectors {
  indices: Uint32Array;
}

export interface PackedDocuments {
  /** The documents' keys and sequences, as JSON. */
  keys: string;
  /** The number of points of each document. */
  counts: Int32Array;
  points: PackedPoints;
}

export interface PackedAdditions {
  ids: string;
  /** -1 if there is none. */
  sequences: Float64Array;
  /** One per line; an empty line if there is none. */
  hashes: string;
  vectors: PackedVectors;
}

/** Numbers by point. */
export interface PackedRows {
  ids: string;
  rows: PackedVectors;
}

/** Keys and their states, as JSON, because a structured clone of a hundred small objects takes longer. */
export function packKeys(documents: readonly DocumentKey[]): string {
  return JSON.stringify(documents.map(({ tenant, id }): DocumentKey => ({ tenant, id })));
}

export function unpackKeys(keys: string): DocumentKey[] {
  return JSON.parse(keys) as DocumentKey[];
}

export function packFound(found: readonly (FoundDocument | undefined)[]): string {
  return JSON.stringify(found);
}

export function unpackFound(found: string): (FoundDocument | undefined)[] {
  return (JSON.parse(found) as (FoundDocument | null)[]).map((one) => one ?? undefined);
}

/** A search's results. */
export interface PackedHits {
  ids: string;
  payloads: string;
  scores: Float64Array;
}

/** Splits points into lists of at most this many bytes. They keep their serialised payloads, for packing. */
export function cutPoints<P extends Point | StoredPoint>(points: readonly P[], most: number): P[][] {
  return groupsOfBytes(points, most, bytesOf);
}

/** Likewise for documents, which are never split. */
export function cutDocuments(documents: readonly DocumentPoints[], most: number): DocumentPoints[][] {
  return groupsOfBytes(documents, most, ({ points }) =>
    points.reduce((sum, point) => sum + bytesOf(point), 0),
  );
}

export function cutHits(hits: readonly ScoredPoint[], most: number): PackedHits[] {
  const texts = hits.map(({ id, score, payload }) => ({ id, score, text: JSON.stringify(payload) }));
  return groupsOfBytes(texts, most, ({ text }) => text.length).map((some) => ({
    ids: lines(some.map(({ id }) => id)),
    payloads: lines(some.map(({ text }) => text)),
    scores: Float64Array.from(some, ({ score }) => score),
  }));
}

export function unpackHits({ ids, payloads, scores }: PackedHits): ScoredPoint[] {
  const texts = linesOf(payloads);
  return linesOf(ids).map((id, n) => ({
    id: id as PointId,
    score: scores[n] ?? 0,
    payload: JSON.parse(texts[n] ?? '{}') as PointPayload,
  }));
}

/** A point's payload as JSON, serialised once. */
function textOf(point: Point | StoredPoint): string {
  return (point.payloadText ??= JSON.stringify(point.payload));
}

function bytesOf(point: Point | StoredPoint): number {
  const { dense, other, tokens, sparse = {} } = point;
  let terms = 0;
  for (const scheme of SPARSE_SCHEMES) terms += sparse[scheme]?.indices.length ?? 0;
  const numbers = dense.length + (other?.length ?? 0);
  return textOf(point).length + 4 * numbers + (tokens?.length ?? 0) + 8 * terms;
}

/** @throws EmbedmillError `store_rejected` for a sparse vector with different numbers of ids and weights. */
export function packDocuments(documents: DocumentPoints[]): PackedDocuments {
  return {
    keys: JSON.stringify(
      documents.map(({ tenant, id, sequence }): DocumentVersion => ({ tenant, id, sequence })),
    ),
    counts: Int32Array.from(documents, (document) => document.points.length),
    points: packPoints(documents.flatMap((document) => document.points)),
  };
}

export function unpackDocuments({ keys, counts, points }: PackedDocuments): DocumentPoints[] {
  const all: Point[] = unpackPoints(points);
  // The store stores the payload as text, and need not serialise it again.
  for (const [n, payloadText] of linesOf(points.payloads).entries()) {
    const point = all[n];
    if (point !== undefined) point.payloadText = payloadText;
  }
  let next = 0;
  return (JSON.parse(keys) as DocumentVersion[]).map((key, document) => {
    const from = next;
    next += counts[document] ?? 0;
    return { ...key, points: all.slice(from, next) };
  });
}

export function packPoints(points: readonly (Point | StoredPoint)[]): PackedPoints {
  return {
    ...packPointVectors(points),
    payloads: lines(points.map(textOf)),
  };
}

type VectorsOfPoint = Pick<Point, 'id' | 'dense' | 'other' | 'tokens' | 'sparse'>;

export function packPointVectors(points: readonly VectorsOfPoint[]): PackedPointVectors {
  const has = (scheme: SparseScheme) => points.some(({ sparse }) => sparse?.[scheme] !== undefined);
  return {
    ids: lines(points.map(({ id }) => id)),
    dense: packVectors(points.map(({ dense }) => dense)),
    other: points.some(({ other }) => other !== undefined)
      ? packVectors(points.map(({ other }) => other))
      : undefined,
    tokens: points.some(({ tokens }) => tokens !== undefined)
      ? packTokens(points.map(({ tokens }) => tokens))
      : undefined,
    sparse: SPARSE_SCHEMES.filter(has).map((scheme) => ({
      scheme,
      terms: packTerms(points.map(({ sparse }) => sparse?.[scheme])),
    })),
  };
}

export function unpackPoints({ payloads, ...vectors }: PackedPoints): StoredPoint[] {
  const texts = linesOf(payloads);
  return unpackPointVectors(vectors).map((point, n) => ({
    ...point,
    payload: JSON.parse(texts[n] ?? '{}') as PointPayload,
  }));
}

export function unpackPointVectors({
  ids,
  dense,
  other,
  tokens,
  sparse,
}: PackedPointVectors): Omit<StoredPoint, 'payload'>[] {
  const takeDense = vectorsOf(dense);
  const takeOther = other === undefined ? () => undefined : vectorsOf(other);
  const takeTokens = tokens === undefined ? () => undefined : vectorsOf(tokens);
  const takeTerms = sparse.map(({ scheme, terms }) => ({ scheme, take: termsOf(terms) }));
  return linesOf(ids).map((id) => {
    const vectors: { [Scheme in SparseScheme]?: SparseVector } = {};
    for (const { scheme, take } of takeTerms) {
      const vector = take();
      if (vector !== undefined) vectors[scheme] = vector;
    }
    const second = takeOther();
    const rows = takeTokens();
    return {
      id: id as PointId,
      dense: takeDense() ?? new Float32Array(),
      ...(second === undefined ? {} : { other: second }),
      ...(rows === undefined ? {} : { tokens: rows }),
      sparse: vectors,
    };
  });
}

export function packAdditions(additions: VectorAddition[]): PackedAdditions {
  return {
    ids: lines(additions.map(({ id }) => id)),
    sequences: Float64Array.from(additions, ({ sequence }) => sequence ?? -1),
    hashes: lines(additions.map(({ hash = '' }) => hash)),
    vectors: packVectors(additions.map(({ values }) => values)),
  };
}

export function unpackAdditions({ ids, sequences, hashes, vectors }: PackedAdditions): VectorAddition[] {
  const take = vectorsOf(vectors);
  const kept = hashes.split('\n');
  return linesOf(ids).map((id, n) => {
    const sequence = sequences[n] ?? -1;
    const hash = kept[n] ?? '';
    return {
      id: id as PointId,
      values: take() ?? new Float32Array(),
      ...(sequence >= 0 && { sequence }),
      ...(hash !== '' && { hash }),
    };
  });
}

export function packRows(rows: ReadonlyMap<PointId, Float32Array>): PackedRows {
  return { ids: lines([...rows.keys()]), rows: packVectors([...rows.values()]) };
}

export function unpackRows({ ids, rows }: PackedRows): Map<PointId, Float32Array> {
  const take = vectorsOf(rows);
  return new Map(linesOf(ids).map((id) => [id as PointId, take() ?? new Float32Array()]));
}

function packVectors(vectors: readonly (Float32Array | undefined)[]): PackedVectors {
  const lengths = Int32Array.from(vectors, (vector) => vector?.length ?? -1);
  const values = new Float32Array(totalOf(lengths));
  let at = 0;
  for (const vector of vectors) {
    if (vector === undefined) continue;
    values.set(vector, at);
    at += vector.length;
  }
  return { lengths, values };
}

function packTerms(vectors: readonly (SparseVector | undefined)[]): PackedTerms {
  const { lengths, values } = packVectors(vectors.map((vector) => vector?.values));
  const indices = new Uint32Array(values.length);
  let at = 0;
  for (const vector of vectors) {
    if (vector === undefined) continue;
    if (vector.indices.length !== vector.values.length) {
      throw new EmbedmillError(
        'store_rejected',
        `a sparse vector has ${vector.indices.length} ids, but ${vector.values.length} weights`,
      );
    }
    indices.set(vector.indices, at);
    at += vector.values.length;
  }
  return { lengths, values, indices };
}

function packTokens(rows: readonly (TokenVectors | undefined)[]): PackedTokens {
  const lengths = Int32Array.from(rows, (own) => own?.length ?? -1);
  const values = new Int8Array(totalOf(lengths));
  let at = 0;
  for (const own of rows) {
    if (own === undefined) continue;
    values.set(own, at);
    at += own.length;
  }
  return { lengths, values };
}

/** Yields one vector after the other. */
function vectorsOf<Values extends Float32Array | Int8Array>({
  lengths,
  values,
}: {
  lengths: Int32Array;
  values: Values;
}): () => Values | undefined {
  let next = 0;
  let at = 0;
  return () => {
    const length = lengths[next++] ?? -1;
    if (length < 0) return undefined;
    at += length;
    return values.subarray(at - length, at) as Values;
  };
}

function termsOf({ indices, ...vectors }: PackedTerms): () => SparseVector | undefined {
  const take = vectorsOf(vectors);
  let at = 0;
  return () => {
    const values = take();
    if (values === undefined) return undefined;
    at += values.length;
    return { indices: indices.subarray(at - values.length, at), values };
  };
}

function totalOf(lengths: Int32Array): number {
  return lengths.reduce((sum, length) => sum + Math.max(length, 0), 0);
}

function lines(texts: string[]): string {
  return texts.join('\n');
}

/** An empty text means no lines, because ids and payloads are never empty. */
function linesOf(text: string): string[] {
  return text === '' ? [] : text.split('\n');
}
