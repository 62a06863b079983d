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

/** Weights are above 0. */
export type SparseVectors = { readonly [Scheme in SparseScheme]?: SparseVector | undefined };

/** Hashes of what vectors were computed from; BM25's are counted anew each time, and have none. */
export type VectorHashes = { readonly [Name in DenseName | SparseScheme | 'tokens']?: string };

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
  /** What of the document's text lies between chunks: `joinedText`. */
  gap?: string;
  tail?: string;
  title: string | null;
  /** The URL or path of the document's picture. */
  image: string | null;
  /** Of a video's frame: seconds from its start. */
  timestamp: number | null;
  /** What the document and its profile hashed to: equal means that storing it again would change nothing. */
  fingerprint: string;
  /**
   * What the document's vectors are made of, without its metadata: equal means that they are the same. Documents that were
   * stored before it was kept have none.
   */
  content?: string;
  /** Of vectors by their names, what each was computed from: equal means that it is the same vector. */
  hashes?: VectorHashes;
  /** The job that wrote it. */
  job_id: JobId;
  /** The sequence of the submission that wrote it; 0 where it was stored before there were sequences. */
  sequence: number;
  /** What the document was submitted as a part of, where it was said. */
  source?: string | null;
  /** What the chunk has of its document's structure, where that is known. */
  structure?: ChunkStructure;
  metadata: { [key: string]: Json };
}

/** One chunk's record. */
export interface Point {
  id: PointId;
  /** Of the collection's `dims`, and L2-normalised: its vector named `collection.vector`. */
  dense: Float32Array;
  /** Of `collection.other`, where there is one; L2-normalised. */
  other?: Float32Array | undefined;
  /** Where the profile has `lateInteraction`: of the collection's `dims`; none of a picture. */
  tokens?: TokenVectors | undefined;
  /** One for each scheme of the profile; a scheme that finds no term has an empty one, or none. */
  sparse?: SparseVectors | undefined;
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
  /** Of the submission that it comes from; its points carry the same. */
  sequence: number;
  points: Point[];
}

/** A document as one submission left it. */
export interface DocumentVersion extends DocumentKey {
  /** Of the submission that wrote it. */
  sequence: number;
}

/** A document that is there, written to its end. */
export interface StoredDocument {
  state: 'stored';
  fingerprint: string;
  chunkCount: number;
  jobId: JobId;
  /** Of the submission that wrote it. */
  sequence: number;
  /** The greatest sequence that had its say on the document: that of its writer, or of one that found it unchanged. */
  decided: number;
}

/** A document that is not there although a submission had its say on it: it was deleted, or is being written. */
export interface AbsentDocument {
  state: 'absent';
  decided: number;
}

export type FoundDocument = StoredDocument | AbsentDocument;

/** Which points: those of the tenant that satisfy the filter. */
export interface PointSelection {
  filter?: Filter | undefined;
  tenant?: TenantId | undefined;
}

/** Fields of payloads that documents are counted by. */
export type CountedField = 'tenant' | 'source';

export interface DocumentCount {
  /** Null: those without a value. */
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

/** A point that was found, without what it carries. */
export type RankedPoint = Pick<ScoredPoint, 'id' | 'score'>;

/** What is near to points that are there. */
export interface NearSearch extends PointSelection {
  /** The cosine similarity from which on a point is near. */
  threshold: number;
  /** Of each point. */
  limit: number;
}

export interface ScoredPoint {
  id: PointId;
  /**
   * Dense: the cosine similarity. Sparse: the sum of the products of the weights of shared terms, each times its
   * idf where the scheme is `WITH_IDF`; points that share no term are not found.
   */
  score: number;
  payload: PointPayload;
}

/** A name that stands for a collection. Stores themselves take collections' own names only. */
export interface Alias {
  name: CollectionName;
  collection: CollectionName;
}

/** A point with its vectors, as stored; `sparse` has no empty ones. */
export type StoredPoint = Pick<
  Point,
  'id' | 'dense' | 'other' | 'tokens' | 'sparse' | 'payload' | 'payloadText'
>;

/** What a point is found by: of the vector that searches use, and of sparse ones. */
export type PointVectors = Pick<StoredPoint, 'dense' | 'sparse'>;

export interface VectorAddition {
  id: PointId;
  /** Of the point that it was made of: one that was replaced meanwhile does not get it. By default any does. */
  sequence?: number | undefined;
  /** L2-normalised. */
  values: Float32Array;
  /** What it was computed from: it is kept with the point's other `hashes`. */
  hash?: string | undefined;
}

export interface PointScan extends PointSelection {
  limit: number;
  /** Points after this one, in the order of ids; from the first by default. */
  after?: PointId | undefined;
}

export interface DocumentScan extends PointScan {
  /** Only documents of this source; null: those of none. Of all by default. */
  source?: string | null | undefined;
}

/** A document that is there, and its chunk 0. */
export interface ScannedDocument extends DocumentKey {
  point: PointId;
}

/**
 * Writes of whole documents, in the order of their sequences, in whatever order they come: of a document, that of the
 * greatest sequence is what remains. One that is overtaken (another of a greater sequence had its say on the document)
 * changes nothing, cleans up what it wrote before it found out, and names the document in its answer. Writing under a
 * sequence again has the effect of writing once.
 *
 * `known` is the collection as the writer knows it. Where it was deleted and made anew since, nothing of the write stays
 * and the error is `collection_not_found`. Where it has other dense vectors by now, or gets them while this is written, the
 * error is `store_unavailable`: read the definition again, and embed by it. So it is where it has another twin by now.
 */
export interface DocumentWrites {
  /**
   * Afterwards exactly these points exist of each of these documents: new ones written, chunks that a document no longer
   * has deleted. A document's chunk 0 is written last, so that a write cut short is not taken for a whole one.
   */
  replaceDocuments(
    name: CollectionName,
    documents: DocumentPoints[],
    known?: Collection,
  ): Promise<DocumentKey[]>;
  /**
   * Deletes the documents, and leaves of each, also of one that is not there, a tombstone: its sequence, which no call but
   * `findDocuments` shows, and which keeps older writes away.
   */
  deleteDocuments(
    name: CollectionName,
    documents: DocumentKey[],
    sequence: number,
    known?: Collection,
  ): Promise<DocumentKey[]>;
  /**
   * Of documents found as these versions, and unchanged by the submission of this sequence: keeps older writes away from
   * now on. Gives those that are not these versions any more. Where a version's sequence is this one, it is one that an
   * earlier attempt wrote: what that was to delete of an older one, and may not have come to, is deleted.
   */
  confirmDocuments(
    name: CollectionName,
    versions: DocumentVersion[],
    sequence: number,
  ): Promise<DocumentKey[]>;
  /** Removes what an earlier attempt to write these documents under this sequence left, which others have overtaken since. */
  removeOvertaken(name: CollectionName, documents: DocumentKey[], sequence: number): Promise<void>;
  /**
   * Removes what was written under this sequence to a collection that was made anew since the writer knew it, as `known`;
   * does nothing where it was not.
   */
  takeBack(name: CollectionName, sequence: number, known: Collection): Promise<void>;
  /** Forgets tombstones of sequences below this one: nothing older will be written any more. Gives how many there were. */
  purgeTombstones(name: CollectionName, below: number): Promise<number>;
}

/** Collections as they are defined. */
export interface Definitions {
  /** Creates the collection; does nothing when it exists with the same profile and size. */
  createCollection(collection: Collection): Promise<void>;
  getCollection(name: CollectionName): Promise<Collection | undefined>;
  listCollections(): Promise<Collection[]>;
  /**
   * Writes down what has changed of a collection's definition: `averageLength`, `vector`, `profile.model`, `dims`,
   * `other`, `twin`. A new `other` makes room for its vectors; one that is left out, and is not `vector`, is deleted.
   *
   * `known` is what the caller took the definition to be: where it is another one by now, nothing is changed and the
   * error is `store_unavailable`. Searches get another vector, and a vector is deleted, only where every point has the one
   * that searches use afterwards: else nothing is changed and the error is `migration_state`.
   */
  updateCollection(collection: Collection, known?: Collection): Promise<void>;
  /**
   * Makes metadata that is stored, too, something to filter by; searches may filter on it when this has resolved. Does
   * nothing to a field that is filterable as this type already. Errors: `collection_exists` where it is as another.
   */
  addField(name: CollectionName, field: string, type: FilterableType): Promise<void>;
  /** Whether there was one to delete. */
  deleteCollection(name: CollectionName): Promise<boolean>;
}

/** Names that stand for collections. */
export interface Aliases {
  /** By name; in Qdrant also those of collections that are not embedmill's. */
  listAliases(): Promise<Alias[]>;
  /**
   * Lets `name` stand for another collection from one moment to the next, also where it stood for one before; `null` removes
   * it. A deleted collection takes its aliases along.
   *
   * Errors: `collection_not_found`, `collection_exists` where a collection has that name.
   */
  moveAlias(name: CollectionName, collection: CollectionName | null): Promise<void>;
}

/** What is stored, by what it is known by: looked up by documents’ keys or points’ ids, or page by page. */
export interface StoredReads {
  /** What is known of each document, in the order asked; undefined of those that nobody had a say on. */
  findDocuments(name: CollectionName, documents: DocumentKey[]): Promise<(FoundDocument | undefined)[]>;
  /** The points of these documents with their vectors, by document and chunk index; none for those not there. */
  getPoints(name: CollectionName, documents: DocumentKey[]): Promise<StoredPoint[]>;
  /** The payloads of those of these points that are there. */
  getPayloads(name: CollectionName, points: PointId[]): Promise<Map<PointId, PointPayload>>;
  /** The vectors of those of these points that are there; where a tenant is given, of its own alone. */
  getVectors(name: CollectionName, points: PointId[], tenant?: TenantId): Promise<Map<PointId, PointVectors>>;
  /** The same of the dense vector alone, that searches use. */
  getDense(name: CollectionName, points: PointId[], tenant?: TenantId): Promise<Map<PointId, Float32Array>>;
  /**
   * The points in the order of their ids, some at a time, without `tokens`: a page shorter than `limit` is the last. Points
   * that are written while the pages are read may be in them or not.
   */
  scanPoints(name: CollectionName, scan: PointScan): Promise<StoredPoint[]>;
  /**
   * As `scanPoints`, of documents that are written to their end, by their chunks 0: `limit` counts documents, and `after` is
   * a `point`. No vectors are read.
   */
  scanDocuments(name: CollectionName, scan: DocumentScan): Promise<ScannedDocument[]>;
}

/** How much is stored. */
export interface Counts {
  /** All of them, or those of one tenant; exact, but where a Qdrant collection was told to allow no exact counts. */
  countPoints(name: CollectionName, tenant?: TenantId): Promise<number>;
  /** Documents by what stands in a field of their payloads; as exact as `countPoints`. A document counts where its chunk 0 is stored. */
  countDocuments(name: CollectionName, by: CountedField, tenant?: TenantId): Promise<DocumentCount[]>;
}

/** What is near to a vector, or shares terms with it. */
export interface Searches {
  /**
   * Best first, those of equal scores by id: so pages follow one another, whatever their limits.
   */
  search(name: CollectionName, search: VectorSearch): Promise<ScoredPoint[]>;
  /** What each of several searches finds, in the same order, without payloads. */
  rank(name: CollectionName, searches: VectorSearch[]): Promise<RankedPoint[][]>;
  /** Of each of these points the other ones near to it by `collection.vector`, ordered as by `search`; none of one not there. */
  findNear(name: CollectionName, points: PointId[], search: NearSearch): Promise<RankedPoint[][]>;
  /**
   * Of those of these points that are there and have token vectors (where a tenant is given, of its own alone), for each of
   * the query's the greatest cosine with any of the point's. Errors: `store_rejected` where the profile has no
   * `lateInteraction`.
   */
  maxSimilarities(
    name: CollectionName,
    points: PointId[],
    query: TokenVectors,
    tenant?: TenantId,
  ): Promise<Map<PointId, Float32Array>>;
  /** What a search multiplies each term's product by: its idf, or 1 in a scheme without; 0 where no point has it. */
  termFactors(name: CollectionName, scheme: SparseScheme, terms: Uint32Array): Promise<Float32Array>;
}

/** A second dense vector for points that are there, by which a collection moves to another model. */
export interface SecondVectors {
  /** Points that have no dense vector of this name; exact. */
  countLacking(name: CollectionName, vector: DenseName): Promise<number>;
  /**
   * Adds a vector named `collection.other` to points that are there and have none: one that was written with its point
   * is newer. Points that are not there are left out. Safe to repeat. Where `collection.other` is not the `vector` that the
   * caller means, nothing is added and the error is `migration_state`.
   */
  addVectors(name: CollectionName, vectors: VectorAddition[], vector?: DenseVector): Promise<void>;
}

/**
 * A vector database, as embedmill uses it, in the parts in which a new one is made (docs/adding-a-store.md). Every write is
 * durable when its promise resolves.
 *
 * Errors are of the catalogue: `collection_not_found`, `collection_exists` (created with another profile or
 * size), `dimension_mismatch`, `invalid_filter` (a field that is not filterable, or a value of another type),
 * `store_rejected` (the store will never take this) and `store_unavailable` (it may later).
 */
export interface VectorStore
  extends Definitions, DocumentWrites, StoredReads, Counts, Searches, Aliases, SecondVectors {
  /** Which store it is, and where, for `doctor`; no secrets. */
  readonly description: string;
  /** None of a store that has nothing to put off. */
  readonly loads?: BulkLoads | undefined;

  /** Resolves when the store answers; rejects with `store_unavailable`. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
