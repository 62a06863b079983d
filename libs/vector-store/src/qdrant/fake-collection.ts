import { passes, valuesAtPath, type FakeFilter, type FakePoint } from './fake-filter.ts';

export interface VectorParams {
  size: number;
  distance: 'Cosine';
}

interface PointBody {
  id: string | number;
  vector: Record<string, unknown>;
  payload?: Record<string, unknown>;
}

interface QueryBody {
  query: number[];
  using: string;
  limit: number;
  offset?: number;
  filter?: FakeFilter;
  with_payload?: boolean | string[];
}

/** One collection of FakeQdrant: what it holds, and what it answers to the requests that are about it. */
export class FakeCollection {
  readonly #vectors: Record<string, VectorParams>;
  readonly #sparse: Record<string, unknown> | undefined;
  readonly #points = new Map<string | number, FakePoint>();
  readonly #indexes = new Map<string, string | { type: string }>();
  #metadata: unknown;
  #operations = 0;

  constructor(
    vectors: Record<string, VectorParams>,
    sparse: Record<string, unknown> | undefined,
    metadata: unknown,
  ) {
    this.#vectors = vectors;
    this.#sparse = sparse;
    this.#metadata = metadata;
  }

  /** What is wrong with a request, in Qdrant's words. */
  refusal(route: string, body: unknown): string | undefined {
    if (route === 'put /collections/{collection_name}/points') {
      for (const { id, vector } of (body as { points: PointBody[] }).points) {
        if (typeof id === 'string' && !/^[0-9a-f-]{36}$/.test(id)) {
          return `Format error in JSON body: value ${id} is not a valid point ID, valid values are either an unsigned integer or a UUID`;
        }
        for (const [name, value] of Object.entries(vector)) {
          const wrong = Array.isArray(value)
            ? this.#wrongSize(name, value, ` for vector '${name}'`)
            : undefined;
          if (wrong !== undefined) return wrong;
        }
      }
    }
    if (route === 'post /collections/{collection_name}/points/query') {
      const { using, query } = body as QueryBody;
      return this.#wrongSize(using, query, '');
    }
    return undefined;
  }

  answer(route: string, body: unknown): unknown {
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
        return this.#done();
      }
      case 'put /collections/{collection_name}/points':
        for (const point of (body as { points: PointBody[] }).points) this.#upsert(point);
        return this.#done();
      case 'post /collections/{collection_name}/points/delete': {
        for (const { id } of this.#select((body as { filter: FakeFilter }).filter)) this.#points.delete(id);
        return this.#done();
      }
      case 'post /collections/{collection_name}/points/count':
        return { count: this.#select((body as { filter?: FakeFilter }).filter).length };
      case 'post /collections/{collection_name}/points': {
        const { ids, with_payload } = body as { ids: string[]; with_payload: boolean | string[] };
        const found = ids.map((id) => this.#points.get(id)).filter((point) => point !== undefined);
        return found.map(({ id, payload }) => ({ id, ...selected(payload, with_payload) }));
      }
      case 'post /collections/{collection_name}/points/query':
        return { points: this.#query(body as QueryBody) };
      default:
        throw new Error(`FakeQdrant does not answer ${route}`);
    }
  }

  #query({ query, using, limit, offset = 0, filter, with_payload }: QueryBody) {
    const wanted = normalised(query);
    return (
      this.#select(filter)
        // Of equal ones, the later written comes first, as in the recordings.
        .reverse()
        .map((point) => ({ point, score: dot(wanted, point.vectors[using] ?? []) }))
        .sort((a, b) => b.score - a.score)
        .slice(offset, offset + limit)
        .map(({ point: { id, version, payload }, score }) => ({
          id,
          version,
          score: asFloat32(score),
          ...selected(payload, with_payload),
        }))
    );
  }

  #select(filter: FakeFilter | undefined): FakePoint[] {
    return [...this.#points.values()].filter((point) => passes(filter, point));
  }

  #upsert({ id, vector, payload }: PointBody): void {
    const dense = Object.entries(vector).filter((entry): entry is [string, number[]] =>
      Array.isArray(entry[1]),
    );
    const vectors = Object.fromEntries(dense.map(([name, value]) => [name, normalised(value)]));
    this.#points.set(id, { id, vectors, payload: payload ?? {}, version: this.#operations });
  }

  #wrongSize(name: string, vector: unknown[], where: string): string | undefined {
    const size = this.#vectors[name]?.size;
    if (size === undefined) return `Wrong input: Not existing vector name error: ${name}`;
    if (size === vector.length) return undefined;
    return `Wrong input: Vector dimension error: expected dim: ${size}, got ${vector.length}${where}`;
  }

  #done() {
    return { operation_id: this.#operations++, status: 'completed' };
  }

  #info() {
    const points = [...this.#points.values()];
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
          ...(this.#sparse === undefined ? {} : { sparse_vectors: this.#sparse }),
        },
        ...DEFAULTS,
        ...(this.#metadata === undefined ? {} : { metadata: this.#metadata }),
      },
      payload_schema: Object.fromEntries(indexes) as Record<string, unknown>,
      update_queue: { length: 0 },
    };
  }
}

const DEFAULTS = {
  hnsw_config: {
    m: 16,
    ef_construct: 100,
    full_scan_threshold: 10000,
    max_indexing_threads: 0,
    on_disk: false,
  },
  optimizer_config: {
    deleted_threshold: 0.2,
    vacuum_min_vector_number: 1000,
    default_segment_number: 0,
    max_segment_size: null,
    memmap_threshold: null,
    indexing_threshold: 10000,
    flush_interval_sec: 5,
    max_optimization_threads: null,
    prevent_unoptimized: null,
  },
  wal_config: { wal_capacity_mb: 32, wal_segments_ahead: 0, wal_retain_closed: 1 },
  quantization_config: null,
};

function selected(payload: Record<string, unknown>, wanted: boolean | string[] | undefined) {
  if (wanted === undefined || wanted === false) return {};
  if (wanted === true) return { payload };
  return { payload: Object.fromEntries(Object.entries(payload).filter(([key]) => wanted.includes(key))) };
}

function normalised(vector: number[]): number[] {
  const length = Math.sqrt(dot(vector, vector));
  return length === 0 ? vector : vector.map((value) => value / length);
}

function dot(a: number[], b: number[]): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

/** The shortest number that means the same float32, which is how Qdrant writes scores. */
function asFloat32(value: number): number {
  for (let digits = 6; digits < 10; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return Math.fround(value);
}
