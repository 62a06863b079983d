import type { FakeVector } from './fake-vectors.ts';
import { isMulti, isSparse } from './fake-vectors.ts';

export interface VectorParams {
  size: number;
  distance: 'Cosine';
  on_disk?: boolean;
  datatype?: 'float16';
  multivector_config?: unknown;
  hnsw_config?: unknown;
  quantization_config?: unknown;
}

export interface SparseParams {
  modifier?: 'idf';
  index?: unknown;
}

interface StrictMode {
  enabled?: boolean;
  search_allow_exact?: boolean;
}

type Settings = Record<string, unknown>;

export interface CollectionBody {
  vectors: Record<string, VectorParams>;
  sparse_vectors?: Record<string, SparseParams>;
  shard_number?: number;
  sharding_method?: 'auto' | 'custom';
  replication_factor?: number;
  write_consistency_factor?: number;
  on_disk_payload?: boolean;
  hnsw_config?: Settings;
  optimizers_config?: Settings;
  quantization_config?: unknown;
  metadata?: Settings;
}

export interface CollectionPatch {
  vectors?: Record<string, Partial<VectorParams>>;
  params?: Settings;
  hnsw_config?: Settings;
  optimizers_config?: Settings;
  strict_mode_config?: StrictMode;
  metadata?: Settings;
}

export type VectorConfig = { dense: VectorParams } | { sparse: SparseParams };

/** Qdrant's default configuration of a collection. */
const DEFAULTS = {
  params: { shard_number: 1, replication_factor: 1, write_consistency_factor: 1, on_disk_payload: true },
  hnsw: {
    m: 16,
    ef_construct: 100,
    full_scan_threshold: 10000,
    max_indexing_threads: 0,
    on_disk: false,
  },
  optimizers: {
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
  wal: { wal_capacity_mb: 32, wal_segments_ahead: 0, wal_retain_closed: 1 },
};

/** The configuration of one collection of FakeQdrant: from its creation and later changes. */
export class FakeConfig {
  readonly vectors: Record<string, VectorParams>;
  readonly sparse: Record<string, SparseParams>;
  readonly shards: number;
  /** Whether points are in the shards of a key that the writer names. */
  readonly isSharded: boolean;
  readonly #quantization: unknown;
  #params: Settings;
  #hnsw: Settings;
  #optimizers: Settings;
  #strict: StrictMode | undefined;
  #metadata: Settings | undefined;

  constructor(body: CollectionBody) {
    this.vectors = { ...body.vectors };
    this.sparse = { ...body.sparse_vectors };
    const { params, hnsw, optimizers } = DEFAULTS;
    this.shards = body.shard_number ?? params.shard_number;
    this.isSharded = body.sharding_method === 'custom';
    this.#params = merged(params, {
      shard_number: body.shard_number,
      sharding_method: body.sharding_method,
      replication_factor: body.replication_factor,
      write_consistency_factor: body.write_consistency_factor,
      on_disk_payload: body.on_disk_payload,
    });
    this.#hnsw = merged(hnsw, body.hnsw_config);
    this.#optimizers = merged(optimizers, body.optimizers_config);
    this.#quantization = body.quantization_config ?? null;
    this.#metadata = body.metadata;
  }

  /** Whether exact counts and searches are allowed. */
  get allowsExact(): boolean {
    return this.#strict?.enabled !== true || this.#strict.search_allow_exact !== false;
  }

  change({ vectors = {}, params, hnsw_config, optimizers_config, ...rest }: CollectionPatch): void {
    for (const [name, change] of Object.entries(vectors)) {
      const there = this.vectors[name];
      if (there !== undefined) this.vectors[name] = { ...there, ...change };
    }
    this.#params = merged(this.#params, params);
    this.#hnsw = merged(this.#hnsw, hnsw_config);
    this.#optimizers = merged(this.#optimizers, optimizers_config);
    if (rest.strict_mode_config !== undefined) this.#strict = { ...this.#strict, ...rest.strict_mode_config };
    if (rest.metadata !== undefined) this.#metadata = withoutNulls({ ...this.#metadata, ...rest.metadata });
  }

  /** Like Qdrant, uses only the part of a vector's configuration that determines comparisons. */
  addVector(name: string, config: VectorConfig): void {
    if ('sparse' in config) this.sparse[name] = config.sparse;
    else this.vectors[name] = { size: config.dense.size, distance: config.dense.distance };
  }

  dropVector(name: string): void {
    Reflect.deleteProperty(this.vectors, name);
    Reflect.deleteProperty(this.sparse, name);
  }

  /** The fault in a vector with this name, in Qdrant's words. */
  wrongVector(name: string, vector: FakeVector, where: string): string | undefined {
    const size = this.vectors[name]?.size;
    const isThere = isSparse(vector) ? name in this.sparse : size !== undefined;
    if (!isThere) return `Wrong input: Not existing vector name error: ${name}`;
    if (isSparse(vector) || isMulti(vector) || size === vector.length) return undefined;
    return `Wrong input: Vector dimension error: expected dim: ${size}, got ${vector.length}${where}`;
  }

  /** The fault in a search by a vector without an index, in Qdrant's words. */
  wrongSearch(name: string): string | undefined {
    const isUnindexed = name in this.vectors && this.#hnsw['m'] === 0;
    if (this.allowsExact || !isUnindexed) return undefined;
    return `Request is forbidden on '${name}' because global vector indexing is disabled (hnsw_config.m = 0). Help: Use tenant-specific filter, enable global vector indexing or enable strict mode \`search_allow_exact\` option`;
  }

  shown() {
    return {
      params: {
        vectors: this.vectors,
        ...this.#params,
        ...(Object.keys(this.sparse).length === 0 ? {} : { sparse_vectors: this.sparse }),
      },
      hnsw_config: this.#hnsw,
      optimizer_config: this.#optimizers,
      wal_config: DEFAULTS.wal,
      quantization_config: this.#quantization,
      ...(this.#strict === undefined ? {} : { strict_mode_config: this.#strict }),
      ...(this.#metadata === undefined ? {} : { metadata: this.#metadata }),
    };
  }
}

function merged(settings: Settings, changes: Settings = {}): Settings {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  return { ...settings, ...Object.fromEntries(given) };
}

/** Metadata keys that are set to null are removed. */
function withoutNulls(settings: Settings): Settings {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null));
}
