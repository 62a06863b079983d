import { EmbedmillError, type Collection } from '@embedmill/jobs';
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
 * @throws EmbedmillError `dimension_mismatch` or `store_rejected` (a number that is not finite), before
 *   anything has been written.
 */
export function replacementOf(collection: Collection, documents: DocumentPoints[]): Replacement {
  // Of a document that is given twice, the later one is what should exist afterwards.
  const latest = [...new Map(documents.map((document) => [keyText(document), document])).values()];
  const first: Point[] = [];
  const rest: Point[] = [];
  for (const { id, points } of latest) {
    for (const point of points) {
      const where = `document "${id}", chunk ${point.payload.chunk_index}`;
      checkVector(collection, point.dense, where);
      (point.payload.chunk_index === 0 ? first : rest).push(point);
    }
  }
  return { documents: latest, first, rest };
}

/**
 * @throws EmbedmillError `dimension_mismatch`, or `store_rejected` when a number of the vector is not finite.
 */
export function checkVector(collection: Collection, vector: Float32Array, where: string): void {
  if (vector.length !== collection.dims) {
    throw new EmbedmillError(
      'dimension_mismatch',
      `${where}: the vector has ${vector.length} numbers, but the collection "${collection.name}" takes ` +
        `${collection.dims}; embed with its model, ${collection.profile.model}`,
    );
  }
  const at = firstNotFinite(vector);
  if (at === -1) return;
  throw new EmbedmillError(
    'store_rejected',
    `${where}: the vector has a number that is not finite (${vector[at]})`,
  );
}

/** Index, or -1. Looked for in every vector that is written, so no function is called for each number. */
function firstNotFinite(vector: Float32Array): number {
  for (let at = 0; at < vector.length; at += 1) {
    const value = vector[at] ?? 0;
    // Only what is not finite differs from itself by anything but 0.
    if (value - value !== 0) return at;
  }
  return -1;
}

/** A text that only this document of this tenant has. */
export function keyText({ tenant, id }: DocumentKey): string {
  return JSON.stringify([tenant, id]);
}
