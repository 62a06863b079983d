import { z } from 'zod';

const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

/** Environment variables that configure the use of Qdrant. */
export const qdrantSettings = {
  EMBEDMILL_QDRANT_SEARCH_SECONDS: z.coerce.number().min(0.1).max(110).default(5).meta({
    description: 'Seconds that Qdrant may take for a search; a slower search fails and is not retried.',
  }),
  EMBEDMILL_QDRANT_SHARDS: count(1, 1000).optional().meta({
    description:
      'Shards of new collections; by default one per node, as Qdrant chooses. With custom sharding, shards per key.',
  }),
  EMBEDMILL_QDRANT_SHARDING: z.enum(['auto', 'custom']).default('auto').meta({
    description:
      'auto: new collections spread all points over all shards. custom: they are sharded by key, and large tenants get shards of their own.',
  }),
  EMBEDMILL_QDRANT_LARGE_TENANTS: z
    .string()
    .default('')
    .transform((text) => text.split(',').flatMap((name) => name.trim() || []))
    .meta({
      description:
        'Tenants, separated by commas, that get shards of their own in collections sharded by key.',
    }),
  EMBEDMILL_QDRANT_REPLICAS: count(1, 100).default(2).meta({
    description: 'Replicas of each shard in new collections; never more than there are nodes.',
  }),
  EMBEDMILL_QDRANT_WRITE_CONSISTENCY: count(1, 100).default(1).meta({
    description: 'Replicas that must apply a write before it is acknowledged, in new collections.',
  }),
  EMBEDMILL_QDRANT_ON_DISK: z.stringbool().default(false).meta({
    description:
      'Whether new collections keep their vectors and the indexes of filterable fields on disk. The original vectors of quantized collections are always on disk.',
  }),
  EMBEDMILL_QDRANT_HNSW_M: count(0, 1000).optional().meta({
    description:
      'Links per point in the HNSW index of new collections (m); set 0 together with HNSW_PAYLOAD_M for many small tenants.',
  }),
  EMBEDMILL_QDRANT_HNSW_EF_CONSTRUCT: count(4, 10_000).optional().meta({
    description: 'Candidates considered for the links of a point, in new collections (ef_construct).',
  }),
  EMBEDMILL_QDRANT_HNSW_PAYLOAD_M: count(0, 1000).optional().meta({
    description:
      'Links of a point within its tenant, or within one filterable value, in new collections (payload_m).',
  }),
  EMBEDMILL_QDRANT_OPTIMIZER_THREADS: count(0, 1000).optional().meta({
    description: 'Concurrent optimizations of a shard, in new collections.',
  }),
  EMBEDMILL_QDRANT_BULK_POINTS: count(0, 1e12).default(1_000_000).meta({
    description:
      'A load of at least this many points into a nearly empty collection defers its index until the load ends; 0: never.',
  }),
};

/** How Qdrant keeps new collections; it decides whatever is undefined. */
export interface QdrantLayout {
  shards: number | undefined;
  sharding: 'auto' | 'custom';
  replicas: number;
  writeConsistency: number;
  onDisk: boolean;
  hnsw: { m: number | undefined; efConstruct: number | undefined; payloadM: number | undefined };
  optimizerThreads: number | undefined;
}

/** How Qdrant is used. */
export interface QdrantConfig {
  /** How long a request of a search may take, in milliseconds. */
  searchTimeout: number;
  layout: QdrantLayout;
  /** Tenants with their own shards in collections sharded by key. */
  largeTenants: string[];
  /** The least points of a first load that defers the index; 0: never. */
  bulkPoints: number;
}

/** The settings by their names in code. */
export function qdrantConfig(read: z.output<z.ZodObject<typeof qdrantSettings>>): QdrantConfig {
  return {
    searchTimeout: read.EMBEDMILL_QDRANT_SEARCH_SECONDS * 1000,
    layout: {
      shards: read.EMBEDMILL_QDRANT_SHARDS,
      sharding: read.EMBEDMILL_QDRANT_SHARDING,
      replicas: read.EMBEDMILL_QDRANT_REPLICAS,
      writeConsistency: read.EMBEDMILL_QDRANT_WRITE_CONSISTENCY,
      onDisk: read.EMBEDMILL_QDRANT_ON_DISK,
      hnsw: {
        m: read.EMBEDMILL_QDRANT_HNSW_M,
        efConstruct: read.EMBEDMILL_QDRANT_HNSW_EF_CONSTRUCT,
        payloadM: read.EMBEDMILL_QDRANT_HNSW_PAYLOAD_M,
      },
      optimizerThreads: read.EMBEDMILL_QDRANT_OPTIMIZER_THREADS,
    },
    largeTenants: read.EMBEDMILL_QDRANT_LARGE_TENANTS,
    bulkPoints: read.EMBEDMILL_QDRANT_BULK_POINTS,
  };
}

/** The defaults. */
export const USUAL_QDRANT = qdrantConfig(z.object(qdrantSettings).parse({}));
