import {
  asEmbedmillError,
  type CollectionName,
  type DenseVector,
  type EmbedmillError,
} from '@embedmill/jobs';
import type { DocumentPoints, VectorStore } from '@embedmill/vector-store';

/**
 * Writes documents to the store; a write that the store refuses is bisected, so that the documents it would
 * take are stored and the others named. Errors that may pass are thrown. `vectors` are what their dense vectors are: the
 * store refuses for now what a migration has overtaken.
 */
export async function storeDocuments<D extends DocumentPoints>(
  store: VectorStore,
  collection: CollectionName,
  documents: D[],
  vectors: readonly DenseVector[],
  on: { stored: (document: D) => void; refused: (document: D, error: EmbedmillError) => void },
): Promise<void> {
  if (documents.length === 0) return;
  try {
    await store.replaceDocuments(collection, documents, vectors);
    for (const document of documents) on.stored(document);
  } catch (thrown) {
    const error = asEmbedmillError(thrown);
    if (error.retryable || error.code === 'collection_not_found') throw error;
    const [only, ...others] = documents;
    if (only !== undefined && others.length === 0) return on.refused(only, error);
    const middle = Math.ceil(documents.length / 2);
    await storeDocuments(store, collection, documents.slice(0, middle), vectors, on);
    await storeDocuments(store, collection, documents.slice(middle), vectors, on);
  }
}
