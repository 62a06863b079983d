import { EmbedmillError, type CollectionName, type PointId, type TenantId } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import { groups } from '../groups.ts';
import { ofTenant } from './qdrant-filter.ts';
import type { QdrantConnection } from './qdrant-connection.ts';

/** The key of the shards for tenants without their own: a number, which cannot be a tenant's name. */
export const SHARED_KEY = 0;

/** The number of points per look-up of their shards. */
const POINTS_AT_ONCE = 1000;

/** The shards of a request's points, as part of its body; empty: all shards. */
export interface Place {
  shard_key?: Schemas['ShardKeySelector'];
}

/**
 * The shards of tenants' points in collections sharded by key (`sharding_method: custom`).
 *
 * Every request for a tenant names the tenant's own key, with the shared one as the fallback. Only Qdrant decides which
 * keys exist, so our processes cannot have an outdated view. A large tenant's key is created before its first points
 * are written, and only while the shared key has none of its points; if it has some, they stay there until an operator
 * promotes the tenant. Creating a key is idempotent, so any number of processes may do it concurrently.
 */
export class QdrantShards {
  readonly #connection: QdrantConnection;
  readonly #largeTenants: ReadonlySet<string>;
  /** Tenants whose keys are known to exist, by collection and its creation. */
  readonly #prepared = new Map<string, Promise<void>>();

  /** @param largeTenants tenants that get their own shards */
  constructor(connection: QdrantConnection, largeTenants: readonly string[]) {
    this.#connection = connection;
    this.#largeTenants = new Set(largeTenants);
  }

  /** The shards of a tenant's points; without a tenant, those of all, for reads. */
  of(name: CollectionName, tenant: TenantId | undefined): Place {
    if (tenant === undefined || !this.#connection.isSharded(name)) return {};
    return { shard_key: { target: tenant, fallback: SHARED_KEY } };
  }

  /** Groups items by their tenants' shards. */
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

  /** All shards, for a write that affects all tenants, because Qdrant requires writes to name them. */
  async everywhere(name: CollectionName): Promise<Place> {
    return this.#connection.isSharded(name) ? { shard_key: await this.#keys(name) } : {};
  }

  /** Groups items for points with unknown tenants by their shards; omits missing points. */
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

  /** Errors: `store_rejected` if the server does not support shard keys. */
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

  /** Creates the shared key if it does not exist. */
  async createShared(name: CollectionName): Promise<void> {
    if (!(await this.#keys(name)).includes(SHARED_KEY)) await this.#create(name, SHARED_KEY);
  }

  /** Prepares writes of these tenants' points: creates the keys of large tenants. */
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
      // Another process may have created it meanwhile, or this one, by a request whose response was lost.
      if (!(await this.#keys(name)).includes(key)) throw thrown;
    }
  }

  async #keys(name: CollectionName): Promise<Schemas['ShardKey'][]> {
    const { shard_keys: keys } = await this.#connection.send(name, (client) => client.listShardKeys(name));
    return (keys ?? []).map(({ key }) => key);
  }
}
