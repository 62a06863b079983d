import type { CollectionName } from '@embedmill/jobs';
import type { DocumentKey, PointPayload, StoredPoint, VectorStore } from '@embedmill/vector-store';

/** Chunks whose points are read at once, but for those of one document. */
const CHUNKS_AT_ONCE = 2000;

/**
 * The points of all documents that some points belong to, with their vectors. The store reads documents whole, so they come
 * some at a time, and whoever asks keeps what is wanted of them.
 */
export async function* documentPoints(
  store: VectorStore,
  collection: CollectionName,
  payloads: readonly PointPayload[],
): AsyncGenerator<StoredPoint> {
  const documents = new Map(
    payloads.map(({ tenant, document_id: id, chunk_count: chunks }) => [
      JSON.stringify([tenant, id]),
      { tenant, id, chunks },
    ]),
  );
  let some: DocumentKey[] = [];
  let chunks = 0;
  for (const document of documents.values()) {
    if (some.length > 0 && chunks + document.chunks > CHUNKS_AT_ONCE) {
      yield* await store.getPoints(collection, some);
      some = [];
      chunks = 0;
    }
    some.push({ tenant: document.tenant, id: document.id });
    chunks += document.chunks;
  }
  if (some.length > 0) yield* await store.getPoints(collection, some);
}
