export type {
  AbsentDocument,
  CountedField,
  DocumentCount,
  Alias,
  DocumentKey,
  DocumentPoints,
  DocumentScan,
  DocumentVersion,
  FoundDocument,
  NearSearch,
  Point,
  PointPayload,
  PointVectors,
  PointScan,
  PointSelection,
  ScannedDocument,
  RankedPoint,
  ScoredPoint,
  SearchVector,
  SparseVectors,
  StoredDocument,
  StoredPoint,
  VectorAddition,
  VectorHashes,
  VectorSearch,
  VectorStore,
} from './store.ts';
export type { StoreCall, StoreObserver, StoreOperation } from './observed-store.ts';
export { deleteInBoth } from './twin.ts';
export { conditionOf, misfitAt, satisfies, type Condition } from './condition.ts';
export { openStore, type StoreOptions } from './open-store.ts';
export { openMilvusStore, type MilvusOptions } from './milvus/open-milvus-store.ts';
export { openQdrantStore, type QdrantOptions } from './qdrant/open-qdrant-store.ts';
export type { BulkLoad, BulkLoads } from './bulk-loads.ts';
export type { StoreReport } from './store-report.ts';
export { connectStore, type ConnectOptions } from './socket/connect-store.ts';
export { serveStore, type StoreHost } from './socket/serve-store.ts';
export { openZvecStore } from './zvec/zvec-store.ts';
