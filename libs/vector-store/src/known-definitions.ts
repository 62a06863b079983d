import { denseVectors, type Collection, type CollectionName } from '@embedmill/jobs';
import { assertNotRemade, assertTwin, assertVectors, collectionNotFound } from './collections.ts';

/** Milliseconds for which a collection's definition is taken to be what it was. */
const DEFINITION_AGE = 5000;

/** What collections were when they were last read or written, for a short while: each write needs it. */
export class KnownDefinitions {
  readonly #definitions = new Map<string, { collection: Collection; until: number }>();

  get(name: string): Collection | undefined {
    const known = this.#definitions.get(name);
    return known !== undefined && known.until > performance.now() ? known.collection : undefined;
  }

  remember(collection: Collection): void {
    this.#definitions.set(collection.name, { collection, until: performance.now() + DEFINITION_AGE });
  }

  forget(name: string): void {
    this.#definitions.delete(name);
  }
}

/** Where a store of many processes keeps what its collections are. */
export interface Definitions {
  /** Perhaps some seconds old. Errors: `collection_not_found`. */
  collection(name: CollectionName): Promise<Collection>;
  /** As it is now; undefined where there is none. */
  reread(name: CollectionName): Promise<Collection | undefined>;
}

/** The collection that a writer knows. Errors: `collection_not_found`, also where it is another by now. */
export async function writtenCollection(
  definitions: Definitions,
  name: CollectionName,
  known: Collection | undefined,
): Promise<Collection> {
  const found = await definitions.collection(name);
  if (known === undefined || found.createdAt === known.createdAt) return found;
  const now = await rereadOf(definitions, name);
  assertNotRemade(now, known);
  return now;
}

/**
 * The definition that a write went by may be some seconds old: what was written by one that is no longer true is written
 * again. Errors: `collection_not_found`; those of the vectors, or of the twin, that the writer did not know.
 */
export async function assertCurrent(
  definitions: Definitions,
  collection: Collection,
  known: Collection,
): Promise<void> {
  const now = await rereadOf(definitions, collection.name as CollectionName);
  assertNotRemade(now, collection);
  assertVectors(now, denseVectors(collection));
  assertTwin(now, known);
}

async function rereadOf(definitions: Definitions, name: CollectionName): Promise<Collection> {
  const now = await definitions.reread(name);
  if (now === undefined) throw collectionNotFound(name);
  return now;
}
