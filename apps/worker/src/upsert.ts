import { asEmbedmillError, type Collection, type CollectionName, type EmbedmillError } from '@embedmill/jobs';
import type { DocumentKey, DocumentPoints, VectorStore } from '@embedmill/vector-store';

/**
 * Writes documents to the store. A refused write is bisected, so that acceptable documents are stored and the others
 * are returned, as are those that a later submission has decided. Transient errors are thrown. `known` is the
 * collection as the job knows it: the store temporarily refuses writes that a migration has overtaken.
 */
export async function storeDocuments<D extends DocumentPoints>(
  store: VectorStore,
  collection: CollectionName,
  documents: D[],
  known: Collection,
  on: {
    stored: (document: D) => void;
    superseded: (document: D) => void;
    refused: (document: D, error: EmbedmillError) => void;
  },
): Promise<void> {
  if (documents.length === 0) return;
  try {
    const overtaken = await store.replaceDocuments(collection, documents, known);
    const superseded = new Set(overtaken.map(keyOf));
    for (const document of documents) {
      if (superseded.size > 0 && superseded.has(keyOf(document))) on.superseded(document);
      else on.stored(document);
    }
  } catch (thrown) {
    const error = asEmbedmillError(thrown);
    if (error.retryable || error.code === 'collection_not_found') throw error;
    const [only, ...others] = documents;
    if (only !== undefined && others.length === 0) return on.refused(only, error);
    const middle = Math.ceil(documents.length / 2);
    await storeDocuments(store, collection, documents.slice(0, middle), known, on);
    await storeDocuments(store, collection, documents.slice(middle), known, on);
  }
}

const keyOf = ({ tenant, id }: DocumentKey): string => JSON.stringify([tenant, id]);
