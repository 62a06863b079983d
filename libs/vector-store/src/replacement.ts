import type { Collection, DenseVector, SparseScheme } from '@embedmill/jobs';
import { assertVectors } from './collections.ts';
import { checkDense, checkSparse, denseVector } from './vector-check.ts';
import type { DocumentKey, DocumentPoints, Point } from './store.ts';

/**
 * What replacing documents comes to, the same in every store, in this order:
 * 1. delete, of each document, the chunks it will no longer have, and its chunk 0 where the old or the new
 *    document has more than one chunk;
 * 2. write `rest`;
 * 3. write `first`.
 *
 * A document counts as stored when its chunk 0 is there. So one that was cut short is not found, neither as
 * what it was nor as what it should become, and is written again; and one of a single chunk, the usual case, is
 * never missing while it is replaced.
 */
export interface Replacement {
  documents: DocumentPoints[];
  /** All chunks 0. */
  first: Point[];
  /** All other chunks. */
  rest: Point[];
}

/**
 * @param vectors what the writer takes for the collection's dense vectors
 * @throws EmbedmillError before anything has been written: `dimension_mismatch`, `store_rejected` (a number that is not
 *   finite, a sparse vector that is not well formed), `store_unavailable` (the collection has others by now).
 */
export function replacementOf(
  collection: Collection,
  documents: DocumentPoints[],
  vectors?: readonly DenseVector[],
): Replacement {
  if (vectors !== undefined) assertVectors(collection, vectors);
  // Of a document that is given twice, the later one is what should exist afterwards.
  const latest = [...new Map(documents.map((document) => [keyText(document), document])).values()];
  const first: Point[] = [];
  const rest: Point[] = [];
  for (const { id, points } of latest) {
    for (const point of points) {
      checkPoint(collection, point, `document "${id}", chunk ${point.payload.chunk_index}`);
      (point.payload.chunk_index === 0 ? first : rest).push(point);
    }
  }
  return { documents: latest, first, rest };
}

function checkPoint(collection: Collection, { dense, other, sparse }: Point, where: string): void {
  checkDense(collection, denseVector(collection), dense, where);
  if (other !== undefined && collection.other !== undefined) {
    checkDense(collection, collection.other, other, where);
  }
  for (const scheme in sparse) {
    const vector = sparse[scheme as SparseScheme];
    if (vector !== undefined) checkSparse(collection, scheme as SparseScheme, vector, where);
  }
}

/** A text that only this document of this tenant has. */
export function keyText({ tenant, id }: DocumentKey): string {
  return JSON.stringify([tenant, id]);
}
