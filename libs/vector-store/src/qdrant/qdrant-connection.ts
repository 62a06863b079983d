import { EmbedmillError, type Collection, type CollectionName } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import pLimit from 'p-limit';
import { collectionNotFound } from '../collections.ts';
import { KnownDefinitions } from '../known-definitions.ts';
import { collectionOf, isShardedByKeys } from './qdrant-collection.ts';
import type { LeanClient } from './lean-client.ts';
import { request } from './qdrant-request.ts';
import { assertSufficient } from './qdrant-version.ts';

/** The maximum number of concurrent writes. */
const WRITES_AT_ONCE = 3;
/** The maximum number of collections read concurrently. */
const LOOKS_AT_ONCE = 3;

/**
 * `prompt`: somebody is waiting; the request has a deadline of seconds, and is not retried after it. `patient`: a write
 * or a count, which may take long, and is retried.
 */
export type Pace = 'prompt' | 'patient';

/** The clients for the server, which differ in their timeouts. */
export type Clients = Readonly<Record<Pace, LeanClient>>;

/** The connection shared by the parts of QdrantStore, with a cache of the collections' definitions. */
export class QdrantConnection {
  readonly description: string;
  readonly definitions = new KnownDefinitions();
  readonly writes = pLimit(WRITES_AT_ONCE);
  readonly #clients: Clients;
  /** Collections that are sharded by key. */
  readonly #sharded = new Set<string>();
  readonly #onThrottled: (() => void) | undefined;
  #version: string | undefined;

  constructor(clients: Clients, url: string, onThrottled: (() => void) | undefined) {
    this.#clients = clients;
    this.description = `Qdrant, ${url}`;
    this.#onThrottled = onThrottled;
  }

  /**
   * The server's version, once it is known to be supported; undefined if a proxy hides it.
   *
   * @throws EmbedmillError `store_unavailable`, also if it lacks a feature.
   */
  async version(): Promise<string | undefined> {
    if (this.#version !== undefined) return this.#version;
    try {
      const { version } = await this.send(undefined, (client) => client.versionInfo(), 'prompt');
      assertSufficient(this.description, version);
      this.#version = version;
    } catch (thrown) {
      const isHidden = thrown instanceof EmbedmillError && thrown.code !== 'store_unavailable';
      if (!isHidden) throw thrown;
    }
    return this.#version;
  }

  /** @param name the affected collection, if any */
  async send<T>(
    name: string | undefined,
    send: (client: LeanClient) => Promise<T>,
    pace: Pace = 'patient',
  ): Promise<T> {
    try {
      return await request(
        name === undefined ? this.description : `${this.description}, collection "${name}"`,
        () => send(this.#clients[pace]),
        { triesAfterTimeout: pace === 'patient', onThrottled: this.#onThrottled },
      );
    } catch (thrown) {
      const gone = thrown instanceof EmbedmillError && thrown.code === 'collection_not_found';
      if (gone && name !== undefined) this.definitions.forget(name);
      throw thrown;
    }
  }

  /** Sends vectors. A refusal may mean that the collection was created again with another size since the last read. */
  async checked<T>(
    collection: Collection,
    check: (now: Collection) => void,
    send: (client: LeanClient) => Promise<T>,
    pace?: Pace,
  ): Promise<T> {
    const name = collection.name as CollectionName;
    try {
      return await this.send(name, send, pace);
    } catch (thrown) {
      if (thrown instanceof EmbedmillError && thrown.code === 'store_rejected') {
        const now = await this.reread(name, pace);
        if (now !== undefined) check(now);
      }
      throw thrown;
    }
  }

  /** The definition, which may be some seconds old. Errors: `collection_not_found`. */
  async collection(name: CollectionName, pace?: Pace): Promise<Collection> {
    const known = this.definitions.get(name);
    if (known !== undefined) return known;
    const collection = await this.reread(name, pace);
    if (collection === undefined) throw collectionNotFound(name);
    return collection;
  }

  /** The current definition. */
  async reread(name: CollectionName, pace?: Pace): Promise<Collection | undefined> {
    const info = await this.info(name, pace);
    if (info !== undefined) return this.read(name, info);
    this.definitions.forget(name);
    return undefined;
  }

  /** The definition in the server's description of a collection; undefined if it is not embedmill's. */
  read(name: CollectionName, info: Schemas['CollectionInfo']): Collection | undefined {
    const collection = collectionOf(name, info);
    if (isShardedByKeys(info)) this.#sharded.add(name);
    else this.#sharded.delete(name);
    if (collection === undefined) this.definitions.forget(name);
    else this.definitions.remember(collection);
    return collection;
  }

  /** As of the last read of the collection's definition. */
  isSharded(name: CollectionName): boolean {
    return this.#sharded.has(name);
  }

  /** The server's description of a collection, also of other programs'. */
  async info(name: string, pace?: Pace): Promise<Schemas['CollectionInfo'] | undefined> {
    try {
      return await this.send(name, (client) => client.getCollection(name), pace);
    } catch (thrown) {
      if (thrown instanceof EmbedmillError && thrown.code === 'collection_not_found') return undefined;
      throw thrown;
    }
  }
  /** The server's descriptions of all collections, by name. */
  async infos(): Promise<{ name: CollectionName; info: Schemas['CollectionInfo'] }[]> {
    const { collections } = await this.send(undefined, (client) => client.getCollections(), 'prompt');
    const slots = pLimit(LOOKS_AT_ONCE);
    const names = collections.map(({ name }) => name as CollectionName).toSorted();
    const found = await Promise.all(
      names.map((name) => slots(async () => ({ name, info: await this.info(name, 'prompt') }))),
    );
    return found.flatMap(({ name, info }) => (info === undefined ? [] : { name, info }));
  }
}
