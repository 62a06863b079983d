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

/** The requests of an update to one collection. */
export interface DefinitionRequests {
  info(): Promise<Schemas['CollectionInfo'] | undefined>;
  /** Writes the definition. */
  define(collection: Collection): Promise<void>;
  /** The exact number of points without a vector of this name. */
  countLacking(vector: DenseName): Promise<number>;
  addVector(vector: DenseVector): Promise<void>;
  dropVector(name: DenseName): Promise<void>;
}

/**
 * Makes `collection` the definition, as specified by VectorStore.updateCollection.
 *
 * Others write at the same time, some of them with the previous definition. So the points without the vector to search
 * by are counted before the definition changes, and again afterwards, before anything is deleted. A writer with the
 * previous definition sees the new one after its write, and repeats it (see QdrantStore.replaceDocuments).
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
  // The state in Qdrant counts, not the definition, because a change may have been interrupted.
  const there = ourVectors(info);
  if (added !== undefined) {
    // The remains of a previous vector of this name may come from another model.
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

/** Without vectors that other programs have added to the points. */
function ourVectors(info: Schemas['CollectionInfo']): DenseName[] {
  return vectorsIn(info).filter((name) => denseNameSchema.safeParse(name).success);
}
