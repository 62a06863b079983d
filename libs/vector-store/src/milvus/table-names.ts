import type { Collection, CollectionName, DenseName } from '@embedmill/jobs';
import { denseVector } from '../vector-check.ts';

/**
 * What embedmill's collections are called in Milvus, which allows letters, digits and "_" only, and no digit in front. Capitals,
 * which no name of ours has, stand for what it lacks, and begin what follows a name: so no two names meet.
 *
 * Each dense vector has a table of its own (Milvus adds no vectors to a collection that is there), with its size and the time
 * at which the collection was made in its name: what was made anew shares nothing with what was there before, nor with what
 * some client remembers of it.
 */
export function vectorTable(collection: Collection, name: DenseName): string {
  const { dims } = denseVector(collection, name);
  const made = Date.parse(collection.createdAt).toString(36).toUpperCase();
  return `${tablePrefix(collection.name)}${name.toUpperCase()}_${dims}D_${made}`;
}

/** The table of a collection's tombstones and confirmations. */
export function markTable(collection: Pick<Collection, 'name' | 'createdAt'>): string {
  const made = Date.parse(collection.createdAt).toString(36).toUpperCase();
  return `${tablePrefix(collection.name)}MARKS_${made}`;
}

/** What the names of a collection's tables begin with, and those of no other's. */
export function tablePrefix(name: string): string {
  return `${/^\d/.test(name) ? 'N' : ''}${name.replaceAll('-', 'H')}_T_`;
}

/** The table of all definitions and aliases of a database. */
export const REGISTRY = 'embedmill_REGISTRY';

export function definitionKey(name: CollectionName | string): string {
  return `collection/${name}`;
}

export function aliasKey(name: CollectionName | string): string {
  return `alias/${name}`;
}
