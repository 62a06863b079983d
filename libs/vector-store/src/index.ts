export type {
  DocumentKey,
  DocumentPoints,
  Point,
  PointPayload,
  ScoredPoint,
  StoredDocument,
  VectorSearch,
  VectorStore,
} from './store.ts';
