import type {
  Collection,
  CollectionName,
  DocumentId,
  Filter,
  JobId,
  Json,
  PointId,
  TenantId,
} from '@embedmill/jobs';

/** What a point carries beside its vector. The same fields stand in every store, under these names. */
export interface PointPayload {
  document_id: DocumentId;
  tenant: TenantId;
  chunk_index: number;
  chunk_count: number;
  /** The chunk's own text: characters `start` to `end` (UTF-16 units) of the document's. */
  text: string;
  start: number;
  end: number;
  title: string | null;
  /** What the document and its profile hashed to: equal means that storing it again would change nothing. */
  fingerprint: string;
  /** The job that wrote it. */
  job_id: JobId;
  metadata: { [key: string]: Json };
}

/** One chunk's record. `dense` is of the collection's `dims`, and L2-normalised. */
export interface Point {
  id: PointId;
  dense: Float32Array;
  payload: PointPayload;
  /** The payload as JSON, where it has been made already. */
  payloadText?: string;
}

export interface DocumentKey {
  tenant: TenantId;
  id: DocumentId;
}

/** All the points of one document, by chunk index from 0. */
export interface DocumentPoints extends DocumentKey {
  points: Point[];
}

export interface StoredDocument {
  fingerprint: string;
  chunkCount: number;
  jobId: JobId;
}

export interface VectorSearch {
  /** L2-normalised, of the collection's `dims`. */
  dense: Float32Array;
  limit: number;
  offset: number;
  filter?: Filter | undefined;
  tenant?: TenantId | undefined;
}

export interface ScoredPoint {
  id: PointId;
  /** Cosine similarity. */
  score: number;
  payload: PointPayload;
}

/**
 * A vector database, as embedmill uses it. Every write is durable when its promise resolves.
 *
 * Errors are of the catalogue: `collection_not_found`, `collection_exists` (created with another profile or
 * size), `dimension_mismatch`, `invalid_filter` (a field that is not filterable, or a value of another type),
 * `store_rejected` (the store will never take this) and `store_unavailable` (it may later).
 */
export interface VectorStore {
  /** `zvec` or `qdrant`, and where it is, for `doctor`; no secrets. */
  readonly description: string;

  /** Creates the collection; does nothing when it exists with the same profile and size. */
  createCollection(collection: Collection): Promise<void>;
  getCollection(name: CollectionName): Promise<Collection | undefined>;
  listCollections(): Promise<Collection[]>;
  /** Whether there was one to delete. */
  deleteCollection(name: CollectionName): Promise<boolean>;
  countPoints(name: CollectionName): Promise<number>;

  /** What is stored of each document, in the order asked. Only a document written to its end is found. */
  findDocuments(name: CollectionName, documents: DocumentKey[]): Promise<(StoredDocument | undefined)[]>;

  /**
   * Afterwards exactly these points exist of each of these documents: new ones written, chunks that a document
   * no longer has deleted. A document's chunk 0 is written last, so that a write cut short is not taken for a
   * whole one. Safe to repeat.
   */
  replaceDocuments(name: CollectionName, documents: DocumentPoints[]): Promise<void>;
  deleteDocuments(name: CollectionName, documents: DocumentKey[]): Promise<void>;

  search(name: CollectionName, search: VectorSearch): Promise<ScoredPoint[]>;

  /** Resolves when the store answers; rejects with `store_unavailable`. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
