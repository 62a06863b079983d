import { keyText } from './replacement.ts';
import type { DocumentKey, StoredPoint } from './store.ts';

/** Sorts points of these documents: in the requested order of the documents, then by chunk index. */
export function sortByDocument(points: StoredPoint[], documents: DocumentKey[]): StoredPoint[] {
  const places = new Map(documents.map((document, place) => [keyText(document), place]));
  const placeOf = ({ payload: { tenant, document_id } }: StoredPoint) =>
    places.get(keyText({ tenant, id: document_id })) ?? 0;
  return points.sort((a, b) => placeOf(a) - placeOf(b) || a.payload.chunk_index - b.payload.chunk_index);
}
