import {
  denseVectors,
  collectionSchema,
  WITH_IDF,
  type Collection,
  type DenseName,
  type DenseVector,
  type FilterableType,
  type QdrantLayout,
} from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import { sparseSchemes } from '../collections.ts';

/** The key of a Qdrant collection's metadata that holds ours; a collection without it is somebody else's. */
const METADATA_KEY = 'embedmill';

/** Collections of Qdrant have vectors by name: the dense ones, and the sparse ones by their schemes. */
export function creationOf(collection: Collection, layout: QdrantLayout) {
  const schemes = sparseSchemes(collection);
  const quantization = quantizationOf(collection);
  return {
    vectors: Object.fromEntries(
      denseVectors(collection).map((vector) => [
        vector.name,
        { ...paramsOf(vector), ...(isOnDisk(collection, layout) ? { on_disk: true } : {}) },
      ]),
    ),
    ...(schemes.length === 0
      ? {}
      : {
          sparse_vectors: Object.fromEntries(
            schemes.map((scheme) => [scheme, WITH_IDF.has(scheme) ? { modifier: 'idf' as const } : {}]),
          ),
        }),
    ...(quantization === undefined ? {} : { quantization_config: quantization }),
    ...layoutOf(layout),
    ...metadataOf(collection),
  };
}

/** Whether whole vectors are on disk: beside smaller ones, by which searches find, they would only fill the memory. */
export function isOnDisk({ profile }: Collection, { onDisk }: QdrantLayout): boolean {
  return onDisk || profile.storage !== 'float32';
}

function layoutOf({ shards, replicas, writeConsistency, hnsw, optimizerThreads }: QdrantLayout) {
  const links = Object.entries({ m: hnsw.m, ef_construct: hnsw.efConstruct, payload_m: hnsw.payloadM });
  const given = links.filter(([, value]) => value !== undefined);
  return {
    ...(shards === undefined ? {} : { shard_number: shards }),
    replication_factor: replicas,
    write_consistency_factor: writeConsistency,
    ...(given.length === 0 ? {} : { hnsw_config: Object.fromEntries(given) }),
    ...(optimizerThreads === undefined
      ? {}
      : { optimizers_config: { max_optimization_threads: optimizerThreads } }),
  };
}

export function metadataOf(collection: Collection) {
  return { metadata: { [METADATA_KEY]: JSON.parse(JSON.stringify(collection)) as Record<string, unknown> } };
}

export function paramsOf({ dims }: DenseVector) {
  return { size: dims, distance: 'Cosine' as const };
}

/** The names of the dense vectors that a Qdrant collection has. */
export function vectorsIn(info: Schemas['CollectionInfo']): DenseName[] {
  return Object.keys(info.config.params.vectors ?? {}) as DenseName[];
}

/** How Qdrant keeps dense vectors in memory for its first look. */
function quantizationOf({ profile }: Collection): Schemas['QuantizationConfig'] | undefined {
  switch (profile.storage) {
    case 'float32':
      return undefined;
    case 'int8':
      // A few numbers far out would spoil the steps between all the others.
      return { scalar: { type: 'int8', quantile: 0.99, always_ram: true } };
    case 'binary':
      return { binary: { always_ram: true } };
  }
}

/** How many times as many as wanted the first look finds: one bit a number tells little. */
const OVERSAMPLING = { int8: 2, binary: 4 } as const;

/** Of a search: what the first look finds is scored anew by the whole vectors. */
export function searchParams({ profile: { storage } }: Collection): { params?: Schemas['SearchParams'] } {
  if (storage === 'float32') return {};
  return { params: { quantization: { rescore: true, oversampling: OVERSAMPLING[storage] } } };
}

/** The collection that a Qdrant collection holds, or undefined when it is not one of ours. */
export function collectionOf(name: string, info: Schemas['CollectionInfo']): Collection | undefined {
  const metadata: unknown = info.config.metadata;
  const ours = (metadata as Record<string, unknown> | null | undefined)?.[METADATA_KEY];
  const parsed = collectionSchema.safeParse(ours);
  // Of an alias, the name differs.
  return parsed.success && parsed.data.name === name ? parsed.data : undefined;
}

/** Whether strict mode forbids exact counts, and searches of what has no index. */
export function forbidsExact({ config }: Schemas['CollectionInfo']): boolean {
  const { strict_mode_config: strict } = config;
  return strict?.enabled === true && strict.search_allow_exact === false;
}

/** Whether there are links to search by: of all points, or of each tenant's. */
export function isIndexed({
  m,
  payload_m: payloadM,
}: {
  m: number;
  payload_m?: number | null | undefined;
}): boolean {
  return m > 0 || (payloadM ?? 0) > 0;
}

/** The index of a filterable field. */
export function fieldIndex(
  field: string,
  type: FilterableType,
): { field: string; schema: Schemas['PayloadFieldSchema'] } {
  return { field: `metadata.${field}`, schema: indexType(type) };
}

/** The payload fields that Qdrant should index: what is filtered by; in memory only what searches are filtered by. */
export function payloadIndexes(
  collection: Collection,
): { field: string; schema: Schemas['PayloadFieldSchema'] }[] {
  return [
    { field: 'document_id', schema: { type: 'keyword', on_disk: true } },
    { field: 'tenant', schema: { type: 'keyword', is_tenant: true } },
    { field: 'chunk_index', schema: { type: 'integer', lookup: true, range: true, on_disk: true } },
    { field: 'chunk_count', schema: { type: 'integer', lookup: true, range: false, on_disk: true } },
    { field: 'sequence', schema: { type: 'integer', lookup: false, range: true, on_disk: true } },
    ...Object.entries(collection.profile.filterable).map(([field, type]) => fieldIndex(field, type)),
  ];
}

function indexType(type: FilterableType): Schemas['PayloadFieldSchema'] {
  switch (type) {
    case 'keyword':
    case 'integer':
    case 'float':
    case 'datetime':
    case 'geo':
      return type;
    case 'text':
      return { type: 'text', tokenizer: 'word', lowercase: true, min_token_len: 1 };
    case 'boolean':
      return 'bool';
  }
}
