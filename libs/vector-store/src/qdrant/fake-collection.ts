import { hash } from 'node:crypto';
import { DEFAULTS } from './fake-defaults.ts';
import { passes, valuesAtPath, type FakeFilter, type FakePoint } from './fake-filter.ts';
import {
  asFloat32,
  dot,
  isSparse,
  normalised,
  sparseDot,
  withIdf,
  type FakeSparse,
  type FakeVector,
} from './fake-vectors.ts';

export interface VectorParams {
  size: number;
  distance: 'Cosine';
}

export interface CollectionBody {
  vectors: Record<string, VectorParams>;
  sparse_vectors?: Record<string, SparseParams>;
  quantization_config?: unknown;
  metadata?: unknown;
}

interface SparseParams {
  modifier?: 'idf';
}

interface PointBody {
  id: string | number;
  vector: Record<string, FakeVector>;
  payload?: Record<string, unknown>;
}

interface QueryBody {
  query: FakeVector;
  using: string;
  limit: number;
  offset?: number;
  filter?: FakeFilter;
  with_payload?: boolean | string[];
  with_vector?: boolean | string[];
}

interface ScrollBody {
  limit?: number;
  offset?: string | number;
  filter?: FakeFilter;
  with_payload?: boolean | string[];
  with_vector?: boolean | string[];
}

interface UpsertBody {
  points: PointBody[];
  update_filter?: FakeFilter;
  update_mode?: 'upsert' | 'insert_only' | 'update_only';
}

interface SetPayloadBody {
  payload: Record<string, unknown>;
  points?: (string | number)[];
  filter?: FakeFilter;
}

interface FacetBody {
  key: string;
  limit?: number;
  filter?: FakeFilter;
}

interface UpdateVectorsBody {
  points: PointBody[];
  update_filter?: FakeFilter;
}

type VectorConfig = { dense: VectorParams } | { sparse: SparseParams };

/** One collection of FakeQdrant: what it holds, and what it answers to the requests that are about it. */
export class FakeCollection {
  readonly #vectors: Record<string, VectorParams>;
  readonly #sparse: Record<string, SparseParams>;
  readonly #quantization: unknown;
  readonly #points = new Map<string | number, FakePoint>();
  /** By indexed key, what has ever stood there. */
  readonly #values = new Map<string, Set<unknown>>();
  readonly #indexes = new Map<string, string | { type: string }>();
  #metadata: unknown;
  #operations = 0;

  constructor({ vectors, sparse_vectors, quantization_config, metadata }: CollectionBody) {
    this.#vectors = { ...vectors };
    this.#sparse = { ...sparse_vectors };
    this.#quantization = quantization_config ?? null;
    this.#metadata = metadata;
  }

  /** What is wrong with a request, in Qdrant's words. */
  refusal(route: string, name: string, body: unknown): string | undefined {
    switch (route) {
      case 'put /collections/{collection_name}/points':
      case 'put /collections/{collection_name}/points/vectors':
        return (body as { points: PointBody[] }).points
          .map((point) => this.#wrongPoint(point))
          .find((wrong) => wrong !== undefined);
      case 'put /collections/{collection_name}/vectors/{vector_name}': {
        const there = this.#vectors[name];
        if (there === undefined || !('dense' in (body as VectorConfig))) return undefined;
        const { size } = (body as { dense: VectorParams }).dense;
        return size === there.size ? undefined : `Wrong input: Vector ${name} already exists`;
      }
      case 'post /collections/{collection_name}/facet': {
        const { key } = body as FacetBody;
        return this.#indexes.has(key)
          ? undefined
          : `Bad request: Index required but not found for "${key}" of one of the following types: [keyword]. Help: Create an index for this key or use a different filter.`;
      }
      case 'post /collections/{collection_name}/points/query': {
        const { using, query } = body as QueryBody;
        return this.#wrongVector(using, query, '');
      }
      case 'post /collections/{collection_name}/points/query/batch':
        return (body as { searches: QueryBody[] }).searches
          .map(({ using, query }) => this.#wrongVector(using, query, ''))
          .find((wrong) => wrong !== undefined);
      default:
        return undefined;
    }
  }

  /** Of an update: a point that is not there, which fails all of it. */
  missing(route: string, body: unknown): string | undefined {
    if (route !== 'put /collections/{collection_name}/points/vectors') return undefined;
    const gone = (body as UpdateVectorsBody).points.find(({ id }) => !this.#points.has(id));
    return gone && `Not found: No point with id ${gone.id} found`;
  }

  /** @param name of the vector, in routes of one */
  answer(route: string, name: string, body: unknown): unknown {
    switch (route) {
      case 'get /collections/{collection_name}':
        return this.#info();
      case 'patch /collections/{collection_name}':
        this.#metadata = (body as { metadata: unknown }).metadata;
        return true;
      case 'put /collections/{collection_name}/index': {
        const { field_name, field_schema } = body as {
          field_name: string;
          field_schema: string | { type: string };
        };
        this.#indexes.set(field_name, field_schema);
        for (const point of this.#all()) this.#noteValues(point);
        return this.#done();
      }
      case 'put /collections/{collection_name}/points':
        this.#upsert(body as UpsertBody);
        return this.#done();
      case 'put /collections/{collection_name}/vectors/{vector_name}': {
        const config = body as VectorConfig;
        if ('dense' in config) this.#vectors[name] = config.dense;
        else this.#sparse[name] = config.sparse;
        return this.#done();
      }
      case 'delete /collections/{collection_name}/vectors/{vector_name}':
        for (const of of [this.#vectors, this.#sparse, ...this.#all().map((point) => point.vectors)]) {
          Reflect.deleteProperty(of, name);
        }
        return this.#done();
      case 'put /collections/{collection_name}/points/vectors': {
        const { points, update_filter } = body as UpdateVectorsBody;
        for (const { id, vector } of points) {
          const point = this.#points.get(id);
          if (point === undefined || !passes(update_filter, point)) continue;
          Object.assign(point.vectors, kept(vector));
          point.version = this.#operations;
        }
        return this.#done();
      }
      case 'post /collections/{collection_name}/points/delete': {
        for (const { id } of this.#select((body as { filter: FakeFilter }).filter)) this.#points.delete(id);
        return this.#done();
      }
      case 'post /collections/{collection_name}/points/payload': {
        const { payload, points, filter } = body as SetPayloadBody;
        // Where both are given, the ids count.
        const chosen = points?.map((id) => this.#points.get(id)) ?? this.#select(filter);
        for (const point of chosen) if (point !== undefined) Object.assign(point.payload, payload);
        return this.#done();
      }
      case 'post /collections/{collection_name}/points/count':
        return { count: this.#select((body as { filter?: FakeFilter }).filter).length };
      case 'post /collections/{collection_name}/facet':
        return { hits: this.#facet(body as FacetBody) };
      case 'post /collections/{collection_name}/points': {
        const { ids, with_payload, with_vector } = body as ScrollBody & { ids: string[] };
        const found = ids.map((id) => this.#points.get(id)).filter((point) => point !== undefined);
        return found.map((point) => shown(point, with_payload, with_vector));
      }
      case 'post /collections/{collection_name}/points/scroll':
        return this.#scroll(body as ScrollBody);
      case 'post /collections/{collection_name}/points/query':
        return { points: this.#query(body as QueryBody) };
      case 'post /collections/{collection_name}/points/query/batch':
        return (body as { searches: QueryBody[] }).searches.map((query) => ({ points: this.#query(query) }));
      default:
        throw new Error(`FakeQdrant does not answer ${route}`);
    }
  }

  /** Values that were there once and are no more come, too, with a count of 0. */
  #facet({ key, limit = 10, filter }: FacetBody) {
    const counts = new Map<unknown, number>([...(this.#values.get(key) ?? [])].map((value) => [value, 0]));
    for (const point of this.#select(filter)) {
      for (const value of new Set(valuesAtPath(point.payload, key)))
        counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    return [...counts]
      .map(([value, count]) => ({ value, count }))
      .sort((a, b) => b.count - a.count || (String(a.value) < String(b.value) ? -1 : 1))
      .slice(0, limit);
  }

  #query({ query, using, limit, offset = 0, filter, with_payload, with_vector }: QueryBody) {
    const scoreOf = this.#scorer(using, query);
    const place = tieOrder(offset + limit);
    return this.#select(filter)
      .flatMap((point) => {
        const score = scoreOf(point.vectors[using]);
        return score === undefined ? [] : [{ point, score }];
      })
      .sort((a, b) => b.score - a.score || (place(a.point) < place(b.point) ? -1 : 1))
      .slice(offset, offset + limit)
      .map(({ point, score }) => ({
        ...shown(point, with_payload, with_vector),
        version: point.version,
        score: asFloat32(score),
      }));
  }

  #scorer(using: string, query: FakeVector): (vector: FakeVector | undefined) => number | undefined {
    if (!isSparse(query)) {
      const wanted = normalised(query);
      return (vector) => (vector === undefined || isSparse(vector) ? undefined : dot(wanted, vector));
    }
    const all = this.#all().flatMap((point) => {
      const vector = point.vectors[using];
      return vector !== undefined && isSparse(vector) ? [vector] : [];
    });
    const weighted: FakeSparse = this.#sparse[using]?.modifier === 'idf' ? withIdf(query, all) : query;
    return (vector) => (vector === undefined || !isSparse(vector) ? undefined : sparseDot(weighted, vector));
  }

  #scroll({ limit = 10, offset, filter, with_payload = true, with_vector }: ScrollBody) {
    const points = this.#select(filter)
      .filter(({ id }) => offset === undefined || id >= offset)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    return {
      points: points.slice(0, limit).map((point) => shown(point, with_payload, with_vector)),
      next_page_offset: points[limit]?.id ?? null,
    };
  }

  #all(): FakePoint[] {
    return [...this.#points.values()];
  }

  #select(filter: FakeFilter | undefined): FakePoint[] {
    return this.#all().filter((point) => passes(filter, point, (key) => this.#isText(key)));
  }

  #isText(key: string): boolean {
    const index = this.#indexes.get(key);
    return typeof index === 'object' ? index.type === 'text' : index === 'text';
  }

  /** New points are inserted whatever the filter; those that are there change where it holds of them. */
  #upsert({ points, update_filter, update_mode = 'upsert' }: UpsertBody): void {
    for (const { id, vector, payload } of points) {
      const there = this.#points.get(id);
      if (there === undefined ? update_mode === 'update_only' : update_mode === 'insert_only') continue;
      if (there !== undefined && !passes(update_filter, there)) continue;
      const point = { id, vectors: kept(vector), payload: payload ?? {}, version: this.#operations };
      this.#points.set(id, point);
      this.#noteValues(point);
    }
  }

  #noteValues({ payload }: FakePoint): void {
    for (const key of this.#indexes.keys()) {
      const values = this.#values.get(key) ?? new Set();
      for (const value of valuesAtPath(payload, key)) values.add(value);
      this.#values.set(key, values);
    }
  }

  #wrongPoint({ id, vector }: PointBody): string | undefined {
    if (typeof id === 'string' && !/^[0-9a-f-]{36}$/.test(id)) {
      return `Format error in JSON body: value ${id} is not a valid point ID, valid values are either an unsigned integer or a UUID`;
    }
    return Object.entries(vector)
      .map(([name, value]) => this.#wrongVector(name, value, ` for vector '${name}'`))
      .find((wrong) => wrong !== undefined);
  }

  #wrongVector(name: string, vector: FakeVector, where: string): string | undefined {
    const size = this.#vectors[name]?.size;
    const isThere = isSparse(vector) ? name in this.#sparse : size !== undefined;
    if (!isThere) return `Wrong input: Not existing vector name error: ${name}`;
    if (isSparse(vector) || size === vector.length) return undefined;
    return `Wrong input: Vector dimension error: expected dim: ${size}, got ${vector.length}${where}`;
  }

  #done() {
    return { operation_id: this.#operations++, status: 'completed' };
  }

  #info() {
    const points = this.#all();
    const indexes = [...this.#indexes].map(([field, schema]) => [
      field,
      {
        data_type: typeof schema === 'string' ? schema : schema.type,
        ...(typeof schema === 'string' ? {} : { params: schema }),
        points: points.filter((point) => valuesAtPath(point.payload, field).length > 0).length,
      },
    ]);
    return {
      status: 'green',
      optimizer_status: 'ok',
      indexed_vectors_count: 0,
      points_count: points.length,
      segments_count: 2,
      config: {
        params: {
          vectors: this.#vectors,
          shard_number: 1,
          replication_factor: 1,
          write_consistency_factor: 1,
          on_disk_payload: true,
          ...(Object.keys(this.#sparse).length === 0 ? {} : { sparse_vectors: this.#sparse }),
        },
        ...DEFAULTS,
        quantization_config: this.#quantization,
        ...(this.#metadata === undefined ? {} : { metadata: this.#metadata }),
      },
      payload_schema: Object.fromEntries(indexes) as Record<string, unknown>,
      update_queue: { length: 0 },
    };
  }
}

/**
 * Qdrant orders equal scores as its heaps leave them: by how many are looked for, in no way that a client may rely on. Here
 * by a number made of both.
 */
function tieOrder(top: number): (point: FakePoint) => string {
  const places = new Map<FakePoint, string>();
  return (point) => {
    const place = places.get(point) ?? hash('md5', `${point.id} ${top}`);
    places.set(point, place);
    return place;
  };
}

function selected(payload: Record<string, unknown>, wanted: boolean | string[] | undefined) {
  if (wanted === undefined || wanted === false) return {};
  if (wanted === true) return { payload };
  return { payload: Object.fromEntries(Object.entries(payload).filter(([key]) => wanted.includes(key))) };
}

function shown(
  { id, payload, vectors }: FakePoint,
  withPayload?: boolean | string[],
  withVector?: boolean | string[],
) {
  const named = withVector === true ? Object.keys(vectors) : withVector || [];
  const vector = Object.fromEntries(Object.entries(vectors).filter(([name]) => named.includes(name)));
  return { id, ...selected(payload, withPayload), ...(withVector ? { vector } : {}) };
}

function kept(vectors: Record<string, FakeVector>): Record<string, FakeVector> {
  return Object.fromEntries(
    Object.entries(vectors).map(([name, vector]) => [name, isSparse(vector) ? vector : normalised(vector)]),
  );
}
