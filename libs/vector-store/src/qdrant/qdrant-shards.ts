import { EmbedmillError, type CollectionName, type PointId, type TenantId } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import { groups } from '../groups.ts';
import { ofTenant } from './qdrant-filter.ts';
import type { QdrantConnection } from './qdrant-connection.ts';

/** The key of the shards that tenants share which have none of their own: a number, as no tenant's name is one. */
export const SHARED_KEY = 0;

/** Points a look at where they are. */
const POINTS_AT_ONCE = 1000;

/** Where the points are that a request is about, as part of its body; nothing: in all shards. */
export interface Place {
  shard_key?: Schemas['ShardKeySelector'];
}

/**
 * Which shards of a collection a tenant's points are in, where the collection is sharded by keys (`sharding_method: custom`).
 *
 * Every request about a tenant names the tenant's own key and, to fall back to, the shared one: it is Qdrant that knows which keys
 * there are, at each moment, so no process of ours can be of an old opinion. A large tenant's key is made before its first points
 * are written, and only while the shared key has none of its points: where it has some, they are found where they are until an
 * operator has promoted the tenant. Making a key again changes nothing, so any number of processes may do it at once.
 */
export class QdrantShards {
  readonly #connection: QdrantConnection;
  readonly #largeTenants: ReadonlySet<string>;
  /** Tenants whose keys have been seen to, by collections as they were created. */
  readonly #prepared = new Map<string, Promise<void>>();

  /** @param largeTenants those that get shards of their own */
  constructor(connection: QdrantConnection, largeTenants: readonly string[]) {
    this.#connection = connection;
    this.#largeTenants = new Set(largeTenants);
  }

  /** Where a tenant's points are; where those of all are, for reads, where none is named. */
  of(name: CollectionName, tenant: TenantId | undefined): Place {
    if (tenant === undefined || !this.#connection.isSharded(name)) return {};
    return { shard_key: { target: tenant, fallback: SHARED_KEY } };
  }

  /** Things by the places that they are in, of their tenants. */
  split<T>(
    name: CollectionName,
    things: readonly T[],
    tenantOf: (thing: T) => TenantId,
  ): { place: Place; some: T[] }[] {
    if (!this.#connection.isSharded(name)) return [{ place: {}, some: [...things] }];
    return [...Map.groupBy(things, tenantOf)].map(([tenant, some]) => ({
      place: this.of(name, tenant),
      some,
    }));
  }

  /** All places, for a write that is about all tenants: of writes, Qdrant wants them named. */
  async everywhere(name: CollectionName): Promise<Place> {
    return this.#connection.isSharded(name) ? { shard_key: await this.#keys(name) } : {};
  }

  /** What is about points of which the tenants are not known, by the places that they are in; of those not there, nothing. */
  async whereThere<T extends { id: PointId }>(
    name: CollectionName,
    things: T[],
  ): Promise<{ place: Place; some: T[] }[]> {
    if (!this.#connection.isSharded(name)) return [{ place: {}, some: things }];
    const keys = new Map<unknown, Schemas['ShardKey']>();
    for (const group of groups(things, POINTS_AT_ONCE)) {
      const wanted = { ids: group.map(({ id }) => id), with_payload: false, with_vector: false };
      for (const { id, shard_key: key } of await this.#connection.send(name, (client) =>
        client.retrieve(name, wanted),
      ))
        if (typeof key === 'string' || typeof key === 'number') keys.set(id, key);
    }
    const there = things.filter(({ id }) => keys.has(id));
    return [...Map.groupBy(there, ({ id }) => keys.get(id))].map(([key, some]) => ({
      place: key === undefined ? {} : { shard_key: key },
      some,
    }));
  }

  /** Errors: `store_rejected` where the server has no keys to shard by. */
  async assertPossible(): Promise<void> {
    const answer = await this.#connection.send(
      undefined,
      (client) => client.api().clusterStatus({}),
      'prompt',
    );
    if (answer.data.result?.status !== 'disabled') return;
    throw new EmbedmillError(
      'store_rejected',
      `${this.#connection.description} is not in distributed mode, which EMBEDMILL_QDRANT_SHARDING=custom needs: ` +
        'set QDRANT__CLUSTER__ENABLED=true there (one node is enough), or leave the setting out',
    );
  }

  /** Makes the shared key, where it is not there. */
  async createShared(name: CollectionName): Promise<void> {
    if (!(await this.#keys(name)).includes(SHARED_KEY)) await this.#create(name, SHARED_KEY);
  }

  /** Sees to it that points of these tenants can be written: of large ones, that they have a key of their own. */
  async prepare(
    { name, createdAt }: { name: string; createdAt: string },
    tenants: Iterable<TenantId>,
  ): Promise<void> {
    const collection = name as CollectionName;
    if (this.#largeTenants.size === 0 || !this.#connection.isSharded(collection)) return;
    for (const tenant of new Set(tenants)) {
      if (!this.#largeTenants.has(tenant)) continue;
      const known = JSON.stringify([name, createdAt, tenant]);
      let prepared = this.#prepared.get(known);
      if (prepared === undefined) {
        prepared = this.#createOwn(collection, tenant);
        this.#prepared.set(known, prepared);
        prepared.catch(() => this.#prepared.delete(known));
      }
      await prepared;
    }
  }

  async #createOwn(name: CollectionName, tenant: TenantId): Promise<void> {
    if ((await this.#keys(name)).includes(tenant)) return;
    const wanted = { filter: ofTenant(tenant), shard_key: SHARED_KEY, limit: 1, with_payload: false };
    const { points } = await this.#connection.send(name, (client) => client.scroll(name, wanted));
    if (points.length === 0) await this.#create(name, tenant);
  }

  async #create(name: CollectionName, key: Schemas['ShardKey']): Promise<void> {
    try {
      await this.#connection.send(name, (client) => client.createShardKey(name, { shard_key: key }));
    } catch (thrown) {
      // Somebody else may have made it in between, or we ourselves, by a request whose answer was lost.
      if (!(await this.#keys(name)).includes(key)) throw thrown;
    }
  }

  async #keys(name: CollectionName): Promise<Schemas['ShardKey'][]> {
    const { shard_keys: keys } = await this.#connection.send(name, (client) => client.listShardKeys(name));
    return (keys ?? []).map(({ key }) => key);
  }
}
