import type {
  Collection,
  CollectionName,
  DenseName,
  DenseVector,
  DocumentId,
  Filter,
  FilterableType,
  JobId,
  Json,
  PointId,
  SparseScheme,
  SparseVector,
  TenantId,
  TokenVectors,
  ChunkStructure,
} from '@embedmill/jobs';
import type { BulkLoads } from './bulk-loads.ts';

/** All weights are above 0. */
export type SparseVectors = { readonly [Scheme in SparseScheme]?: SparseVector | undefined };

/** Hashes of what vectors were computed from. BM25 vectors are always recomputed and have none. */
export type VectorHashes = { readonly [Name in DenseName | SparseScheme | 'tokens']?: string };

/** What a point carries in addition to its vectors. Every store has the same fields under these names. */
export interface PointPayload {
  document_id: DocumentId;
  tenant: TenantId;
  chunk_index: number;
  chunk_count: number;
  /** The chunk's text: characters `start` to `end` (UTF-16 units) of the document's. */
  text: string;
  start: number;
  end: number;
  /** The document's text between chunks; see `joinedText`. */
  gap?: string;
  tail?: string;
  title: string | null;
  /** The URL or path of the document's picture. */
  image: string | null;
  /** For a video frame: seconds from the start of the video. */
  timestamp: number | null;
  /** The hash of the document and its profile: if equal, storing it again would change nothing. */
  fingerprint: string;
  /**
   * The hash of what the document's vectors are computed from, without its metadata: if equal, they are the same. Missing in
   * documents that were stored before it was kept.
   */
  content?: string;
  /** For vectors by name, the hash of what each was computed from: if equal, it is the same vector. */
  hashes?: VectorHashes;
  /** The job that wrote it. */
  job_id: JobId;
  /** The sequence of the submission that wrote it; 0 if it was stored before there were sequences. */
  sequence: number;
  /** The source that the document was submitted with, if any. */
  source?: string | null;
  /** The part of the document's structure that concerns the chunk, if known. */
  structure?: ChunkStructure;
  metadata: { [key: string]: Json };
}

/** One chunk's record. */
export interface Point {
  id: PointId;
  /** The vector named `collection.vector`, with the collection's `dims`, L2-normalised. */
  dense: Float32Array;
  /** The vector of `collection.other`, if there is one; L2-normalised. */
  other?: Float32Array | undefined;
  /** Set if the profile has `lateInteraction`, with the collection's `dims`; pictures have none. */
  tokens?: TokenVectors | undefined;
  /** One for each scheme of the profile; empty or missing if a scheme finds no term. */
  sparse?: SparseVectors | undefined;
  payload: PointPayload;
  /** The payload as JSON, if it was already serialised. */
  payloadText?: string;
}

export interface DocumentKey {
  tenant: TenantId;
  id: DocumentId;
}

/** All the points of one document, by chunk index from 0. */
export interface DocumentPoints extends DocumentKey {
  /** The sequence of its submission; its points carry the same. */
  sequence: number;
  points: Point[];
}

/** A document as written by one submission. */
export interface DocumentVersion extends DocumentKey {
  /** Of the submission that wrote it. */
  sequence: number;
}

/** A completely written document. */
export interface StoredDocument {
  state: 'stored';
  fingerprint: string;
  chunkCount: number;
  jobId: JobId;
  /** Of the submission that wrote it. */
  sequence: number;
  /** The greatest sequence that decided the document: of its writer, or of a submission that found it unchanged. */
  decided: number;
}

/** A document that a submission decided but that does not exist: it was deleted, or is being written. */
export interface AbsentDocument {
  state: 'absent';
  decided: number;
}

export type FoundDocument = StoredDocument | AbsentDocument;

/** Selects the points of the tenant that match the filter. */
export interface PointSelection {
  filter?: Filter | undefined;
  tenant?: TenantId | undefined;
}

/** Payload fields by which documents can be counted. */
export type CountedField = 'tenant' | 'source';

export interface DocumentCount {
  /** Null stands for documents without a value. */
  value: string | null;
  documents: number;
}

export type SearchVector =
  | {
      kind: 'dense';
      /** L2-normalised, of the dense vector's size. */
      values: Float32Array;
      /** `collection.vector` by default. */
      name?: DenseName | undefined;
    }
  | { kind: 'sparse'; scheme: SparseScheme; values: SparseVector };

export interface VectorSearch extends PointSelection {
  vector: SearchVector;
  limit: number;
  offset: number;
}

/** A found point, without its payload. */
export type RankedPoint = Pick<ScoredPoint, 'id' | 'score'>;

/** Options for finding the neighbours of stored points. */
export interface NearSearch extends PointSelection {
  /** The least cosine similarity of a near point. */
  threshold: number;
  /** For each point. */
  limit: number;
}

export interface ScoredPoint {
  id: PointId;
  /**
   * Dense: the cosine similarity. Sparse: the sum of the products of the weights of shared terms, each times its idf if the
   * scheme is in `WITH_IDF`; points that share no term are not found.
   */
  score: number;
  payload: PointPayload;
}

/** A name for a collection. Stores themselves accept only the collections' own names. */
export interface Alias {
  name: CollectionName;
  collection: CollectionName;
}

/** A point with its vectors, as stored; `sparse` has no empty ones. */
export type StoredPoint = Pick<
  Point,
  'id' | 'dense' | 'other' | 'tokens' | 'sparse' | 'payload' | 'payloadText'
>;

/** The vectors by which a point is found: the dense one that searches use, and sparse ones. */
export type PointVectors = Pick<StoredPoint, 'dense' | 'sparse'>;

export interface VectorAddition {
  id: PointId;
  /** The version of the point from which it was computed; a replaced point does not get it. By default any version does. */
  sequence?: number | undefined;
  /** L2-normalised. */
  values: Float32Array;
  /** The hash of what it was computed from, stored with the point's other `hashes`. */
  hash?: string | undefined;
}

export interface PointScan extends PointSelection {
  limit: number;
  /** Only points after this one, in the order of ids; from the first by default. */
  after?: PointId | undefined;
}

export interface DocumentScan extends PointScan {
  /** Only documents of this source; null means documents without one. All by default. */
  source?: string | null | undefined;
}

/** An existing document and its chunk 0. */
export interface ScannedDocument extends DocumentKey {
  point: PointId;
}

/**
 * Writes of whole documents take effect in the order of their sequences, in whatever order they arrive: the write with the
 * greatest sequence remains. A write that was overtaken (a greater sequence decided the document) changes nothing, cleans
 * up what it wrote before it found out, and returns the document. Writing again under the same sequence is idempotent.
 *
 * `known` is the collection as the writer knows it. If it was deleted and created again, nothing of the write remains and
 * the error is `collection_not_found`. If its dense vectors or its twin have changed, or change during the write, the error
 * is `store_unavailable`: read the definition again and embed by it.
 */
export interface DocumentWrites {
  /**
   * Afterwards each of these documents has exactly these points: new ones are written, and chunks that it no longer has are
   * deleted. A document's chunk 0 is written last, so that an interrupted write is not taken for a complete one.
   */
  replaceDocuments(
    name: CollectionName,
    documents: DocumentPoints[],
    known?: Collection,
  ): Promise<DocumentKey[]>;
  /**
   * Deletes the documents and leaves a tombstone for each, even if it does not exist: the sequence, which only
   * `findDocuments` shows, and which rejects older writes.
   */
  deleteDocuments(
    name: CollectionName,
    documents: DocumentKey[],
    sequence: number,
    known?: Collection,
  ): Promise<DocumentKey[]>;
  /**
   * Confirms documents that were found in these versions and are unchanged in the submission of this sequence: older writes
   * are rejected from now on. Returns those that are no longer these versions. If a version has this very sequence, an
   * earlier attempt wrote it: what it may have failed to delete of an older version is deleted.
   */
  confirmDocuments(
    name: CollectionName,
    versions: DocumentVersion[],
    sequence: number,
  ): Promise<DocumentKey[]>;
  /** Removes what an earlier, meanwhile overtaken attempt to write these documents under this sequence left. */
  removeOvertaken(name: CollectionName, documents: DocumentKey[], sequence: number): Promise<void>;
  /**
   * Removes what was written under this sequence to a collection that was created again since the writer read `known`; does
   * nothing if it was not.
   */
  takeBack(name: CollectionName, sequence: number, known: Collection): Promise<void>;
  /** Purges tombstones below this sequence, because nothing older will be written any more. Returns how many there were. */
  purgeTombstones(name: CollectionName, below: number): Promise<number>;
}

/** Collections as they are defined. */
export interface Definitions {
  /** Creates the collection; does nothing if it exists with the same profile and size. */
  createCollection(collection: Collection): Promise<void>;
  getCollection(name: CollectionName): Promise<Collection | undefined>;
  listCollections(): Promise<Collection[]>;
  /**
   * Stores changes of a collection's definition: `averageLength`, `vector`, `profile.model`, `dims`, `other`, `twin`. A new
   * `other` makes room for its vectors; one that is left out, and is not `vector`, is deleted.
   *
   * `known` is the definition as the caller read it: if it has changed since, nothing is changed and the error is
   * `store_unavailable`. Searches are switched to another vector, and a vector is deleted, only if every point has the vector
   * that searches use afterwards; otherwise nothing is changed and the error is `migration_state`.
   */
  updateCollection(collection: Collection, known?: Collection): Promise<void>;
  /**
   * Makes a metadata field filterable, also for stored documents; searches can filter on it once this has resolved. Does
   * nothing if it is already filterable as this type. Errors: `collection_exists` if it is filterable as another type.
   */
  addField(name: CollectionName, field: string, type: FilterableType): Promise<void>;
  /** Returns whether there was one to delete. */
  deleteCollection(name: CollectionName): Promise<boolean>;
}

/** Aliases of collections. */
export interface Aliases {
  /** All aliases by name; in Qdrant also those of other programs' collections. */
  listAliases(): Promise<Alias[]>;
  /**
   * Points `name` to a collection atomically, also if it pointed to another one; `null` removes it. Deleting a collection
   * deletes its aliases.
   *
   * Errors: `collection_not_found`, `collection_exists` if a collection has that name.
   */
  moveAlias(name: CollectionName, collection: CollectionName | null): Promise<void>;
}

/** Reads of stored data by documents’ keys, by points’ ids, or page by page. */
export interface StoredReads {
  /** What is known about each document, in the requested order; undefined if no submission decided it. */
  findDocuments(name: CollectionName, documents: DocumentKey[]): Promise<(FoundDocument | undefined)[]>;
  /** The points of these documents with their vectors, by document and chunk index; none for missing documents. */
  getPoints(name: CollectionName, documents: DocumentKey[]): Promise<StoredPoint[]>;
  /** The payloads of the existing points among these. */
  getPayloads(name: CollectionName, points: PointId[]): Promise<Map<PointId, PointPayload>>;
  /** The vectors of the existing points among these; if a tenant is given, only of its points. */
  getVectors(name: CollectionName, points: PointId[], tenant?: TenantId): Promise<Map<PointId, PointVectors>>;
  /** The same for only the dense vector that searches use. */
  getDense(name: CollectionName, points: PointId[], tenant?: TenantId): Promise<Map<PointId, Float32Array>>;
  /**
   * The points in the order of their ids, page by page, without `tokens`; a page shorter than `limit` is the last. Points
   * that are written in the meantime may or may not be included.
   */
  scanPoints(name: CollectionName, scan: PointScan): Promise<StoredPoint[]>;
  /**
   * Like `scanPoints`, for completely written documents by their chunks 0: `limit` counts documents, and `after` is a
   * `point`. No vectors are read.
   */
  scanDocuments(name: CollectionName, scan: DocumentScan): Promise<ScannedDocument[]>;
}

/** Counts of stored data. */
export interface Counts {
  /** All points, or those of one tenant; exact, unless a Qdrant collection allows no exact counts. */
  countPoints(name: CollectionName, tenant?: TenantId): Promise<number>;
  /** Documents by the value of a payload field; as exact as `countPoints`. A document counts if its chunk 0 is stored. */
  countDocuments(name: CollectionName, by: CountedField, tenant?: TenantId): Promise<DocumentCount[]>;
}

/** Searches for points that are near to a vector, or share terms with it. */
export interface Searches {
  /**
   * Best first, equal scores by id, so that pages are consistent whatever their limits.
   */
  search(name: CollectionName, search: VectorSearch): Promise<ScoredPoint[]>;
  /** The results of several searches, in the same order, without payloads. */
  rank(name: CollectionName, searches: VectorSearch[]): Promise<RankedPoint[][]>;
  /** For each of these points the others near to it by `collection.vector`, ordered as in `search`; none for a missing point. */
  findNear(name: CollectionName, points: PointId[], search: NearSearch): Promise<RankedPoint[][]>;
  /**
   * For each existing point among these with token vectors (if a tenant is given, only for its points): for each token vector
   * of the query the greatest cosine with any of the point's. Errors: `store_rejected` if the profile has no
   * `lateInteraction`.
   */
  maxSimilarities(
    name: CollectionName,
    points: PointId[],
    query: TokenVectors,
    tenant?: TenantId,
  ): Promise<Map<PointId, Float32Array>>;
  /** The factor of each term's product in a search: its idf, or 1 in a scheme without; 0 if no point has the term. */
  termFactors(name: CollectionName, scheme: SparseScheme, terms: Uint32Array): Promise<Float32Array>;
}

/** A second dense vector for existing points, with which a collection migrates to another model. */
export interface SecondVectors {
  /** The number of points without a dense vector of this name; exact. */
  countLacking(name: CollectionName, vector: DenseName): Promise<number>;
  /**
   * Adds a vector named `collection.other` to existing points without one, because a vector written with its point is newer.
   * Missing points are ignored. Idempotent. If `collection.other` is not the `vector` that the caller means, nothing is added
   * and the error is `migration_state`.
   */
  addVectors(name: CollectionName, vectors: VectorAddition[], vector?: DenseVector): Promise<void>;
}

/**
 * A vector database, as embedmill uses it, divided into the parts of an implementation (docs/adding-a-store.md). Every write
 * is durable when its promise resolves.
 *
 * Errors are of the catalogue: `collection_not_found`, `collection_exists` (created with another profile or
 * size), `dimension_mismatch`, `invalid_filter` (a field that is not filterable, or a value of another type),
 * `store_rejected` (the store will never take this) and `store_unavailable` (it may later).
 */
export interface VectorStore
  extends Definitions, DocumentWrites, StoredReads, Counts, Searches, Aliases, SecondVectors {
  /** The kind and the address of the store, for `doctor`; without secrets. */
  readonly description: string;
  /** Undefined if the store has nothing to defer. */
  readonly loads?: BulkLoads | undefined;

  /** Resolves when the store responds; rejects with `store_unavailable`. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
