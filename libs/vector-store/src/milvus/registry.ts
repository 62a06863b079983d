import { collectionSchema, readKept, type Collection, type CollectionName } from '@embedmill/jobs';
import { collectionNotFound } from '../collections.ts';
import type { Alias } from '../store.ts';
import type { MilvusConnection } from './milvus-connection.ts';
import { quoted } from './milvus-filter.ts';
import { KEY, pieces, type Row } from './point-rows.ts';
import { aliasKey, definitionKey, REGISTRY } from './table-names.ts';
import { registryTable } from './tables.ts';

/**
 * The registry of collections and aliases, one row each in a table of the database, because Milvus cannot store our
 * definition with a collection. A row is written atomically, but its writer can check the previous state only
 * beforehand.
 */
export class Registry {
  readonly #connection: MilvusConnection;
  #isThere = false;

  constructor(connection: MilvusConnection) {
    this.#connection = connection;
  }

  /** The definition, which may be some seconds old. Errors: `collection_not_found`. */
  async collection(name: CollectionName): Promise<Collection> {
    const known = this.#connection.definitions.get(name);
    if (known !== undefined) return known;
    const collection = await this.reread(name);
    if (collection === undefined) throw collectionNotFound(name);
    return collection;
  }

  async reread(name: CollectionName): Promise<Collection | undefined> {
    const [row] = await this.#rows(`${KEY} == ${quoted(definitionKey(name))}`);
    const collection = row && definitionIn(row);
    if (collection === undefined) this.#connection.definitions.forget(name);
    else this.#connection.definitions.remember(collection);
    return collection;
  }

  async collections(): Promise<Collection[]> {
    const rows = await this.#rows(`${KEY} like "${definitionKey('')}%"`);
    return rows.flatMap((row) => definitionIn(row) ?? []).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async define(collection: Collection): Promise<void> {
    await this.#put(definitionKey(collection.name), JSON.stringify(collection));
    this.#connection.definitions.remember(collection);
  }

  async forget(name: CollectionName): Promise<void> {
    this.#connection.definitions.forget(name);
    await this.#remove(definitionKey(name));
  }

  async aliases(): Promise<Alias[]> {
    const rows = await this.#rows(`${KEY} like "${aliasKey('')}%"`);
    return rows
      .map((row) => ({
        name: (row[KEY] as string).slice(aliasKey('').length) as CollectionName,
        collection: textIn(row) as CollectionName,
      }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async moveAlias(name: CollectionName, collection: CollectionName | null): Promise<void> {
    if (collection === null) await this.#remove(aliasKey(name));
    else await this.#put(aliasKey(name), collection);
  }

  async #put(key: string, text: string): Promise<void> {
    await this.#ensure();
    await this.#connection.upsert(REGISTRY, [{ [KEY]: key, value: pieces(text), none: [1, 0] }]);
  }

  async #remove(key: string): Promise<void> {
    await this.#ensure();
    await this.#connection.delete(REGISTRY, `${KEY} in [${quoted(key)}]`);
  }

  async #rows(filter: string): Promise<Row[]> {
    await this.#ensure();
    return this.#connection.rows(REGISTRY, { filter, columns: [KEY, 'value'], isPrompt: true });
  }

  async #ensure(): Promise<void> {
    if (this.#isThere) return;
    await this.#connection.create(REGISTRY, registryTable(this.#connection.types));
    this.#isThere = true;
  }
}

function definitionIn(row: Row): Collection | undefined {
  const parsed = readKept(collectionSchema, JSON.parse(textIn(row)));
  return parsed.success ? parsed.data : undefined;
}

function textIn(row: Row): string {
  return (row['value'] as string[]).join('');
}
