import type { Collection, CollectionName, DenseName } from '@embedmill/jobs';
import { denseVector } from '../vector-check.ts';

/**
 * The names of embedmill's collections in Milvus, which allows only letters, digits and "_", and no leading digit.
 * Capital letters, which our names do not contain, encode other characters and begin suffixes, so names cannot collide.
 *
 * Each dense vector has its own table, because Milvus cannot add vectors to an existing collection. The table's name
 * contains the vector's size and the collection's creation time, so a collection that was created again shares nothing
 * with the previous one, nor with what a client has cached.
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

/** The unique prefix of the names of a collection's tables. */
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
