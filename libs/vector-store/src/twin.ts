import type { Collection, CollectionName } from '@embedmill/jobs';
import type { DocumentKey, VectorStore } from './store.ts';

/**
 * Deletes documents from a collection, and from its twin if it has one. Returns those that were overtaken, like
 * `deleteDocuments`. If interrupted, it must be repeated under the same sequence or a later one.
 */
export async function deleteInBoth(
  store: Pick<VectorStore, 'getCollection' | 'deleteDocuments'>,
  collection: Collection,
  documents: DocumentKey[],
  sequence: number,
): Promise<DocumentKey[]> {
  const { name, twin } = collection;
  const overtaken = await store.deleteDocuments(name as CollectionName, documents, sequence, collection);
  const found = twin && (await store.getCollection(twin.name as CollectionName));
  if (found?.twin?.name === name) {
    await store.deleteDocuments(found.name as CollectionName, documents, sequence, found);
  }
  return overtaken;
}
