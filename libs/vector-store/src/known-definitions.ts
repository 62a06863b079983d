import { denseVectors, type Collection, type CollectionName } from '@embedmill/jobs';
import { assertNotRemade, assertTwin, assertVectors, collectionNotFound } from './collections.ts';

/** How long a collection's definition is cached, in milliseconds. */
const DEFINITION_AGE = 5000;

/** A short-lived cache of collections' definitions, which every write needs. */
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

/** Where a store shared by several processes keeps its collections' definitions. */
export interface Definitions {
  /** May be some seconds old. Errors: `collection_not_found`. */
  collection(name: CollectionName): Promise<Collection>;
  /** The current definition; undefined if there is none. */
  reread(name: CollectionName): Promise<Collection | undefined>;
}

/** The collection that a writer knows. Errors: `collection_not_found`, also if it was created again since. */
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
 * The definition used for a write may be some seconds old: a write with an outdated definition is repeated. Errors:
 * `collection_not_found`; errors about vectors or a twin that the writer did not know.
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
