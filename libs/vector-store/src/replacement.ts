import { denseVectors, EmbedmillError, type Collection, type SparseScheme } from '@embedmill/jobs';
import { assertVectors } from './collections.ts';
import { checkDense, checkSparse, checkTokens, denseVector } from './vector-check.ts';
import type { DocumentKey, DocumentPoints, Point } from './store.ts';

/**
 * Validates documents for writing; of a duplicate, only the later one is kept.
 *
 * @throws EmbedmillError before anything is written: `dimension_mismatch`, `store_rejected` (a non-finite number, a
 *   malformed sparse vector, a point with another sequence), `store_unavailable` (the collection's dense vectors differ
 *   from the writer's view).
 */
export function checkedDocuments(
  collection: Collection,
  documents: readonly DocumentPoints[],
  known?: Collection,
): DocumentPoints[] {
  if (known !== undefined) assertVectors(collection, denseVectors(known));
  const latest = [...new Map(documents.map((document) => [keyText(document), document])).values()];
  for (const { id, sequence, points } of latest) {
    for (const point of points) {
      const where = `document "${id}", chunk ${point.payload.chunk_index}`;
      checkPoint(collection, point, where);
      if (point.payload.sequence !== sequence) {
        const message = `${where}: its sequence is ${point.payload.sequence}, the document's is ${sequence}`;
        throw new EmbedmillError('store_rejected', message);
      }
    }
  }
  return latest;
}

function checkPoint(collection: Collection, { dense, other, tokens, sparse }: Point, where: string): void {
  checkDense(collection, denseVector(collection), dense, where);
  if (other !== undefined && collection.other !== undefined) {
    checkDense(collection, collection.other, other, where);
  }
  if (tokens !== undefined) checkTokens(collection, tokens, where);
  for (const scheme in sparse) {
    const vector = sparse[scheme as SparseScheme];
    if (vector !== undefined) checkSparse(collection, scheme as SparseScheme, vector, where);
  }
}

/** A key that is unique to this document of this tenant. */
export function keyText({ tenant, id }: DocumentKey): string {
  return JSON.stringify([tenant, id]);
}
