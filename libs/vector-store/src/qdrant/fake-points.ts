import type { FakeConfig } from './fake-config.ts';
import { passes, valuesAtPath, type FakeFilter, type FakePoint } from './fake-filter.ts';
import { shardOf } from './fake-query.ts';
import type { ShardSelector } from './fake-shards.ts';
import { isSparse, kept, type FakeSparse, type FakeVector } from './fake-vectors.ts';

export interface PointBody {
  id: string | number;
  vector: Record<string, FakeVector>;
  payload?: Record<string, unknown>;
}

export interface UpsertBody {
  points: PointBody[];
  update_filter?: FakeFilter;
  shard_key?: ShardSelector;
  update_mode?: 'upsert' | 'insert_only' | 'update_only';
}

export interface SetPayloadBody {
  payload: Record<string, unknown>;
  points?: (string | number)[];
  filter?: FakeFilter;
  shard_key?: ShardSelector;
  key?: string;
}

export interface FacetBody {
  key: string;
  exact?: boolean;
  limit?: number;
  filter?: FakeFilter;
  shard_key?: ShardSelector;
}

export interface ScrollBody {
  limit?: number;
  offset?: string | number;
  filter?: FakeFilter;
  shard_key?: ShardSelector;
  with_payload?: boolean | string[];
  with_vector?: boolean | string[];
}

export interface UpdateVectorsBody {
  points: PointBody[];
  update_filter?: FakeFilter;
  shard_key?: ShardSelector;
}

/** The keys of the shards that a request reaches; undefined: all. */
type Keys = readonly (string | number)[] | undefined;

export function isIn(key: string | number | undefined, keys: Keys): boolean {
  return keys === undefined || (key !== undefined && keys.includes(key));
}

/** The points of one collection of FakeQdrant, and its indexed fields. */
export class FakePoints {
  readonly #config: FakeConfig;
  readonly #vacuums: boolean;
  /** Replaced or deleted points, if nothing is vacuumed. */
  readonly #gone: FakePoint[] = [];
  readonly #points = new Map<string | number, FakePoint>();
  /** All values ever stored, by indexed key. */
  readonly #values = new Map<string, Set<unknown>>();
  readonly indexes = new Map<string, string | { type: string }>();

  /** @param vacuums whether removed points are forgotten at once; in Qdrant they count in the idf for a while */
  constructor(config: FakeConfig, vacuums: boolean) {
    this.#config = config;
    this.#vacuums = vacuums;
  }

  get(id: string | number): FakePoint | undefined {
    return this.#points.get(id);
  }

  all(): FakePoint[] {
    return [...this.#points.values()];
  }

  /** @param keys of the shards to read; all by default */
  select(filter: FakeFilter | undefined, keys?: Keys): FakePoint[] {
    const there = this.all().filter(({ shardKey }) => isIn(shardKey, keys));
    return there.filter((point) => passes(filter, point, (key) => this.#isText(key)));
  }

  index(field: string, schema: string | { type: string }): void {
    this.indexes.set(field, schema);
    for (const point of this.all()) this.#noteValues(point);
  }

  /** New points are always inserted; existing ones change only if they match the filter. */
  upsert({ points, update_filter, update_mode = 'upsert' }: UpsertBody, version: number, keys: Keys): void {
    for (const { id, vector, payload } of points) {
      const there = this.#points.get(id);
      const [shardKey] = keys ?? [];
      // Qdrant would store the point twice, which is never intended.
      if (there !== undefined && there.shardKey !== shardKey)
        throw new Error(`point ${id} is written under ${shardKey} and ${there.shardKey}`);
      if (there === undefined ? update_mode === 'update_only' : update_mode === 'insert_only') continue;
      if (there !== undefined && !passes(update_filter, there)) continue;
      const point = { id, vectors: this.#kept(vector), payload: payload ?? {}, version, shardKey };
      if (there !== undefined) this.#forget(there);
      this.#points.set(id, point);
      this.#noteValues(point);
    }
  }

  updateVectors({ points, update_filter }: UpdateVectorsBody, version: number): void {
    for (const { id, vector } of points) {
      const point = this.#points.get(id);
      if (point === undefined || !passes(update_filter, point)) continue;
      Object.assign(point.vectors, this.#kept(vector));
      point.version = version;
    }
  }

  delete(filter: FakeFilter, keys: Keys): void {
    for (const point of this.select(filter, keys)) {
      this.#forget(point);
      this.#points.delete(point.id);
    }
  }

  setPayload(body: SetPayloadBody, keys: Keys): void {
    const { payload, key } = body;
    for (const point of this.#chosen(body, keys)) {
      if (key === undefined) Object.assign(point.payload, payload);
      else point.payload[key] = { ...(point.payload[key] as object | undefined), ...payload };
    }
  }

  overwritePayload(body: SetPayloadBody, keys: Keys): void {
    for (const point of this.#chosen(body, keys)) {
      point.payload = body.payload;
      this.#noteValues(point);
    }
  }

  scroll(
    { limit = 10, offset, filter }: ScrollBody,
    keys: Keys,
  ): { points: FakePoint[]; next: string | number | null } {
    const points = this.select(filter, keys)
      .filter(({ id }) => offset === undefined || id >= offset)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    return { points: points.slice(0, limit), next: points[limit]?.id ?? null };
  }

  /** Includes former values, with a count of 0. */
  facet({ key, limit = 10, filter }: FacetBody, keys: Keys) {
    const counts = new Map<unknown, number>([...(this.#values.get(key) ?? [])].map((value) => [value, 0]));
    for (const point of this.select(filter, keys)) {
      for (const value of new Set(valuesAtPath(point.payload, key)))
        counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    return [...counts]
      .map(([value, count]) => ({ value, count }))
      .sort((a, b) => b.count - a.count || (String(a.value) < String(b.value) ? -1 : 1))
      .slice(0, limit);
  }

  /** The sparse vectors of a name in a shard, including removed ones that are not vacuumed. */
  sparseOf(name: string, shard: string): FakeSparse[] {
    const inShard = [...this.all(), ...this.#gone].filter(
      (point) => shardOf(point, this.#config.shards) === shard,
    );
    return inShard.flatMap(({ vectors: { [name]: vector } }) =>
      vector !== undefined && isSparse(vector) ? [vector] : [],
    );
  }

  #isText(key: string): boolean {
    const index = this.indexes.get(key);
    return typeof index === 'object' ? index.type === 'text' : index === 'text';
  }

  #forget(point: FakePoint): void {
    if (!this.#vacuums) this.#gone.push(point);
  }

  /** If both ids and a filter are given, the ids are used. */
  #chosen({ points, filter }: SetPayloadBody, keys: Keys): FakePoint[] {
    const named = points?.flatMap((id) => this.#points.get(id) ?? []);
    return named?.filter(({ shardKey }) => isIn(shardKey, keys)) ?? this.select(filter, keys);
  }

  #kept(vectors: Record<string, FakeVector>): Record<string, FakeVector> {
    const { vectors: params } = this.#config;
    return Object.fromEntries(
      Object.entries(vectors).map(([name, vector]) => [name, kept(vector, params[name]?.datatype)]),
    );
  }

  #noteValues({ payload }: FakePoint): void {
    for (const key of this.indexes.keys()) {
      const values = this.#values.get(key) ?? new Set();
      for (const value of valuesAtPath(payload, key)) values.add(value);
      this.#values.set(key, values);
    }
  }
}
