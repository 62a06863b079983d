import {
  denseVectors,
  collectionSchema,
  readKept,
  WITH_IDF,
  type Collection,
  type DenseName,
  type DenseVector,
  type FilterableType,
  type QdrantLayout,
} from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import { sparseSchemes } from '../collections.ts';

/** The key of our definition in a Qdrant collection's metadata; a collection without it belongs to another program. */
const METADATA_KEY = 'embedmill';

/** The name of the token vectors of points. */
export const TOKENS = 'tokens';

/** The storage options of a collection: from its profile, or else from the settings. */
export function layoutFor({ profile: { layout = {} } }: Collection, settings: QdrantLayout): QdrantLayout {
  const { m, efConstruct, payloadM } = settings.hnsw;
  return {
    ...settings,
    shards: layout.shards ?? settings.shards,
    replicas: layout.replicas ?? settings.replicas,
    writeConsistency: layout.writeConsistency ?? settings.writeConsistency,
    onDisk: layout.onDisk ?? settings.onDisk,
    hnsw: {
      m: layout.hnswM ?? m,
      efConstruct: layout.hnswEfConstruct ?? efConstruct,
      payloadM: layout.hnswPayloadM ?? payloadM,
    },
  };
}

/** A Qdrant collection has named vectors: the dense ones, and the sparse ones, named by scheme. */
export function creationOf(collection: Collection, layout: QdrantLayout) {
  const schemes = sparseSchemes(collection);
  const quantization = quantizationOf(collection);
  // A quantization for the whole collection would also keep a copy of token vectors in memory.
  const hasTokens = collection.profile.lateInteraction !== undefined;
  return {
    vectors: Object.fromEntries([
      ...denseVectors(collection).map((vector) => [
        vector.name,
        {
          ...paramsOf(vector),
          ...(isOnDisk(collection, layout) ? { on_disk: true } : {}),
          ...(hasTokens && quantization !== undefined ? { quantization_config: quantization } : {}),
        },
      ]),
      ...(hasTokens ? [[TOKENS, tokenParams(collection)] as const] : []),
    ]),
    ...(schemes.length === 0
      ? {}
      : {
          sparse_vectors: Object.fromEntries(
            schemes.map((scheme) => [scheme, WITH_IDF.has(scheme) ? { modifier: 'idf' as const } : {}]),
          ),
        }),
    ...(quantization === undefined || hasTokens ? {} : { quantization_config: quantization }),
    ...layoutOf(layout),
    ...metadataOf(collection),
  };
}

/** Whether full vectors are on disk: if searches use smaller ones, the full ones would only fill the memory. */
export function isOnDisk({ profile }: Collection, { onDisk }: QdrantLayout): boolean {
  return onDisk || profile.storage !== 'float32';
}

function layoutOf({ shards, sharding, replicas, writeConsistency, hnsw, optimizerThreads }: QdrantLayout) {
  const links = Object.entries({ m: hnsw.m, ef_construct: hnsw.efConstruct, payload_m: hnsw.payloadM });
  const given = links.filter(([, value]) => value !== undefined);
  return {
    ...(shards === undefined ? {} : { shard_number: shards }),
    ...(sharding === 'custom' && { sharding_method: sharding }),
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

/**
 * Token vectors are only compared for hits of other vectors, never searched, so they have no index and nothing in
 * memory. As float16, each row of bytes keeps its direction exactly. `uint8` has no sign, which would change cosines,
 * and scalar quantization would store the original numbers in addition.
 */
function tokenParams({ dims }: Pick<Collection, 'dims'>) {
  return {
    size: dims,
    distance: 'Cosine' as const,
    datatype: 'float16' as const,
    on_disk: true,
    hnsw_config: { m: 0 },
    multivector_config: { comparator: 'max_sim' as const },
  };
}

/** The names of a Qdrant collection's dense vectors. */
export function vectorsIn(info: Schemas['CollectionInfo']): DenseName[] {
  return Object.keys(info.config.params.vectors ?? {}) as DenseName[];
}

/** How Qdrant stores dense vectors in memory for the first pass. */
function quantizationOf({ profile }: Collection): Schemas['QuantizationConfig'] | undefined {
  switch (profile.storage) {
    case 'float32':
      return undefined;
    case 'int8':
      // A few outliers would make the quantization too coarse for all other numbers.
      return { scalar: { type: 'int8', quantile: 0.99, always_ram: true } };
    case 'binary':
      return { binary: { always_ram: true } };
  }
}

/** The oversampling of the first pass, because one bit per number is imprecise. */
const OVERSAMPLING = { int8: 2, binary: 4 } as const;

/** Search options: the candidates of the first pass are rescored with the full vectors. */
export function searchParams({ profile: { storage } }: Collection): { params?: Schemas['SearchParams'] } {
  if (storage === 'float32') return {};
  return { params: { quantization: { rescore: true, oversampling: OVERSAMPLING[storage] } } };
}

/** Our definition of a Qdrant collection; undefined if it is not one of ours. */
export function collectionOf(name: string, info: Schemas['CollectionInfo']): Collection | undefined {
  const metadata: unknown = info.config.metadata;
  const ours = (metadata as Record<string, unknown> | null | undefined)?.[METADATA_KEY];
  const parsed = readKept(collectionSchema, ours);
  // The name differs if it was read by an alias.
  return parsed.success && parsed.data.name === name ? parsed.data : undefined;
}

/** Whether points are in the shards of a key that the writer names. */
export function isShardedByKeys({ config }: Schemas['CollectionInfo']): boolean {
  return config.params.sharding_method === 'custom';
}

/** Whether strict mode forbids exact counts, and searches without an index. */
export function forbidsExact({ config }: Schemas['CollectionInfo']): boolean {
  const { strict_mode_config: strict } = config;
  return strict?.enabled === true && strict.search_allow_exact === false;
}

/** Whether the index has links: of all points, or of each tenant's. */
export function isIndexed({
  m,
  payload_m: payloadM,
}: {
  m: number;
  payload_m?: number | null | undefined;
}): boolean {
  return m > 0 || (payloadM ?? 0) > 0;
}

/** The index of a field by which no search is filtered. */
export const NOT_OF_SEARCHES = { on_disk: true, enable_hnsw: false };

type FieldSchema = Schemas['PayloadFieldSchema'];

/** The index of a filterable field: in memory, because searches filter by it, unless memory is to be saved. */
export function fieldIndex(
  field: string,
  type: FilterableType,
  { onDisk }: Pick<QdrantLayout, 'onDisk'>,
): { field: string; schema: FieldSchema } {
  return { field: `metadata.${field}`, schema: { ...indexOf(type), ...(onDisk && { on_disk: true }) } };
}

/**
 * The payload fields that Qdrant should index because they are filtered by. Fields used only by writes and scans, not
 * by searches, are on disk and have no links in the vectors' index; integers support only the needed operations.
 */
export function payloadIndexes(
  { profile: { filterable } }: Collection,
  layout: Pick<QdrantLayout, 'onDisk'>,
): { field: string; schema: FieldSchema }[] {
  return [
    { field: 'document_id', schema: { type: 'keyword', ...NOT_OF_SEARCHES } },
    {
      field: 'tenant',
      schema: { type: 'keyword', is_tenant: true, ...(layout.onDisk && { on_disk: true }) },
    },
    { field: 'chunk_index', schema: { type: 'integer', lookup: true, range: true, ...NOT_OF_SEARCHES } },
    { field: 'chunk_count', schema: { type: 'integer', lookup: true, range: false, ...NOT_OF_SEARCHES } },
    { field: 'sequence', schema: { type: 'integer', lookup: false, range: true, ...NOT_OF_SEARCHES } },
    ...Object.entries(filterable).map(([field, type]) => fieldIndex(field, type, layout)),
  ];
}

function indexOf(type: FilterableType): Exclude<FieldSchema, string> {
  switch (type) {
    case 'keyword':
      return { type: 'keyword' };
    case 'integer':
      return { type: 'integer' };
    case 'float':
      return { type: 'float' };
    case 'datetime':
      return { type: 'datetime' };
    case 'geo':
      return { type: 'geo' };
    case 'text':
      return { type: 'text', tokenizer: 'word', lowercase: true, min_token_len: 1 };
    case 'boolean':
      return { type: 'bool' };
  }
}
