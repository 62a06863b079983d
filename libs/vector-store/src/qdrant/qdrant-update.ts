import {
  denseVectors,
  denseNameSchema,
  type Collection,
  type CollectionName,
  type DenseName,
  type DenseVector,
} from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import {
  assertKnown,
  assertNoneLacking,
  collectionNotFound,
  needsWholeVector,
  vectorChange,
} from '../collections.ts';
import { collectionOf, vectorsIn } from './qdrant-collection.ts';

/** What an update asks of one collection. */
export interface DefinitionRequests {
  info(): Promise<Schemas['CollectionInfo'] | undefined>;
  /** Writes the definition down. */
  define(collection: Collection): Promise<void>;
  /** Points without a vector of this name; exact. */
  countLacking(vector: DenseName): Promise<number>;
  addVector(vector: DenseVector): Promise<void>;
  dropVector(name: DenseName): Promise<void>;
}

/**
 * Makes `collection` the definition, as VectorStore.updateCollection has it.
 *
 * Others write at the same time, and some of them by the former definition. So points that lack the vector to search by are
 * counted before the definition is changed, and once more afterwards, before anything is deleted; and whoever wrote by the
 * former one sees the new one when it has written, and writes again (see QdrantStore.replaceDocuments).
 */
export async function updateDefinition(
  collection: Collection,
  known: Collection | undefined,
  requests: DefinitionRequests,
): Promise<void> {
  const info = await requests.info();
  const existing = info && collectionOf(collection.name, info);
  if (info === undefined || existing === undefined)
    throw collectionNotFound(collection.name as CollectionName);
  assertKnown(existing, known);
  const { added } = vectorChange(existing, collection);
  const isRisky = needsWholeVector(existing, collection);
  if (isRisky) assertNoneLacking(collection, await requests.countLacking(collection.vector));
  // What there is in Qdrant counts, not what the definition says: a change may have been cut short.
  const there = ourVectors(info);
  if (added !== undefined) {
    // What a former vector of this name has left may be of another model.
    if (there.includes(added.name)) await requests.dropVector(added.name);
    await requests.addVector(added);
  }
  await requests.define(collection);
  const kept = denseVectors(collection).map((vector) => vector.name);
  const left = there.filter((name) => !kept.includes(name));
  if (!isRisky && left.length === 0) return;
  const lacking = await requests.countLacking(collection.vector);
  if (isRisky && lacking > 0) {
    await requests.define(existing);
    assertNoneLacking(collection, lacking);
  }
  if (lacking > 0) return;
  for (const name of left) await requests.dropVector(name);
}

/** Without those that somebody else has added to the points. */
function ourVectors(info: Schemas['CollectionInfo']): DenseName[] {
  return vectorsIn(info).filter((name) => denseNameSchema.safeParse(name).success);
}
