import { z } from 'zod';

const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

/** Environment variables about how Qdrant is used. */
export const qdrantSettings = {
  EMBEDMILL_QDRANT_SEARCH_SECONDS: z.coerce.number().min(0.1).max(110).default(5).meta({
    description: 'How long Qdrant may take for a search; what takes longer fails, and is not tried again.',
  }),
  EMBEDMILL_QDRANT_SHARDS: count(1, 1000).optional().meta({
    description:
      'Shards of new collections; Qdrant’s own default is one a node. With keys, shards of each key.',
  }),
  EMBEDMILL_QDRANT_SHARDING: z.enum(['auto', 'custom']).default('auto').meta({
    description:
      'auto: new collections spread all points over all shards; custom: by keys, with large tenants in shards of their own.',
  }),
  EMBEDMILL_QDRANT_LARGE_TENANTS: z
    .string()
    .default('')
    .transform((text) => text.split(',').flatMap((name) => name.trim() || []))
    .meta({
      description:
        'Tenants, with commas between, that get shards of their own in collections sharded by keys.',
    }),
  EMBEDMILL_QDRANT_REPLICAS: count(1, 100).default(2).meta({
    description: 'Copies of each shard of new collections; never more than there are nodes.',
  }),
  EMBEDMILL_QDRANT_WRITE_CONSISTENCY: count(1, 100).default(1).meta({
    description: 'Copies that have to have a write before it is acknowledged, in new collections.',
  }),
  EMBEDMILL_QDRANT_ON_DISK: z.stringbool().default(false).meta({
    description:
      'Whether the vectors of new collections, and the indexes of their filterable fields, are on disk; whole vectors beside smaller ones always are.',
  }),
  EMBEDMILL_QDRANT_HNSW_M: count(0, 1000).optional().meta({
    description: 'Links of a point in the index of new collections; 0 with PAYLOAD_M for many small tenants.',
  }),
  EMBEDMILL_QDRANT_HNSW_EF_CONSTRUCT: count(4, 10_000).optional().meta({
    description: 'Points that are looked at for the links of one, in new collections.',
  }),
  EMBEDMILL_QDRANT_HNSW_PAYLOAD_M: count(0, 1000).optional().meta({
    description:
      'Links of a point among those of its tenant, or of one filterable value, in new collections.',
  }),
  EMBEDMILL_QDRANT_OPTIMIZER_THREADS: count(0, 1000).optional().meta({
    description: 'Optimizations of a shard at the same time, in new collections.',
  }),
  EMBEDMILL_QDRANT_BULK_POINTS: count(0, 1e12).default(1_000_000).meta({
    description:
      'Points from which on a load into a collection that has few puts its index off until it has ended; 0: never.',
  }),
};

/** How Qdrant is to keep new collections; what is undefined is left to it. */
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
  /** How long what a search asks for may take, in milliseconds. */
  searchTimeout: number;
  layout: QdrantLayout;
  /** Tenants with shards of their own in collections sharded by keys. */
  largeTenants: string[];
  /** Points from which on a first load puts the index off; 0: never. */
  bulkPoints: number;
}

/** The settings under their names in code. */
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

/** What is taken where nothing is set. */
export const USUAL_QDRANT = qdrantConfig(z.object(qdrantSettings).parse({}));
