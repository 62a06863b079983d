/** How large a cluster has to be and how long it takes: pure arithmetic on measured figures. */
import type { SparseScheme } from '@embedmill/jobs';
import { SHARD_LIMITS } from '@embedmill/sources';
import {
  ADD_SECONDS,
  API_SECONDS_A_DOCUMENT,
  BYTES_AROUND_TEXT,
  HNSW_BYTES_A_POINT,
  MANIFEST_BYTES_A_SHARD,
  PAYLOAD_BYTES,
  QDRANT_BYTES_A_TERM,
  QDRANT_ROOM,
  REDIS_BYTES_A_JOB,
  REDIS_BYTES_A_SHARD,
  REDIS_BYTES_BASE,
  REDIS_SECONDS_A_SHARD,
  SCAN_SECONDS_A_DOCUMENT,
  ZVEC_BYTES_A_POINT,
  ZVEC_BYTES_A_TERM,
  ZVEC_POINTS_A_SECOND,
  ZVEC_QUANTISED_BYTES_A_DIM,
} from './costs.ts';

export interface PlanRequest {
  documents: number;
  /** Tokens of a document's text, without special tokens. */
  tokensPerDocument: number;
  /** UTF-8 bytes per token of that text. */
  bytesPerToken: number;
  /** The most tokens of a chunk, special tokens included. */
  chunkTokens: number;
  dims: number;
  storage: 'float32' | 'int8' | 'binary';
  sparse: readonly SparseScheme[];
  /** The rate of one worker. */
  tokensPerSecond: number;
  /** The given one of the two; the plan computes the other. */
  size: { workers: number } | { hours: number };
  /** The number of jobs as which the documents are submitted. */
  jobs: number;
}

export interface Plan {
  chunks: number;
  /** Tokens run through the model, including overlap and special tokens. */
  tokens: number;
  workers: number;
  /** From the first shard to the last, unless the scan takes longer. */
  hours: number;
  shards: { count: number; documents: number; bytes: number; seconds: number; perSecond: number };
  /** The time to scan a job's source, while its first shards run. */
  scanHours: number;
  redis: { outstandingShards: number; bytes: number; busy: number };
  /** The EMBEDMILL_API_MOST_SHARDS that lets one job keep all workers busy. */
  mostShards: number;
  /** The share of its time in which a job's dispatcher adds shards. */
  dispatchBusy: number;
  /** API replicas, each of which scans and dispatches some of the jobs. */
  replicas: number;
  spoolBytes: number;
  /** Sizes and rates for all points; each chunk is a point. */
  store: {
    pointsPerSecond: number;
    qdrant: { diskBytes: number; memoryBytes: number };
    zvec: { diskBytes: number; busy: number };
  };
}

/** The tokens of a chunk that the next one repeats, by a profile's default. */
const OVERLAP = 32;
const SPECIAL_TOKENS = 2;
export const POLL_SECONDS = 0.1;
export const SHARDS_IN_HAND = 4;
export const MOST_SHARDS = 10_000;
/** Above this load, a process has no room for bursts. */
export const BUSY = 0.7;

export function planOf(request: PlanRequest): Plan {
  const { documents, size } = request;
  const { chunksPerDocument, tokensPerDocument } = chunking(request);
  const chunks = Math.round(documents * chunksPerDocument);
  const tokens = documents * tokensPerDocument;
  const workerHours = tokens / request.tokensPerSecond / 3600;
  const workers = 'workers' in size ? size.workers : Math.max(1, Math.ceil(workerHours / size.hours));
  const hours = workerHours / workers;
  const seconds = hours * 3600;
  const shards = shardsOf(request, { tokensPerDocument, seconds });
  const queue = queueOf({ workers, perSecond: shards.perSecond, jobs: request.jobs });
  const { outstandingShards } = queue;
  const apiBusy = (documents / seconds) * API_SECONDS_A_DOCUMENT;
  return {
    chunks,
    tokens,
    workers,
    hours,
    shards,
    scanHours: ((documents / request.jobs) * SCAN_SECONDS_A_DOCUMENT) / 3600,
    redis: {
      outstandingShards,
      bytes: REDIS_BYTES_BASE + request.jobs * REDIS_BYTES_A_JOB + outstandingShards * REDIS_BYTES_A_SHARD,
      busy: shards.perSecond * REDIS_SECONDS_A_SHARD,
    },
    mostShards: queue.mostShards,
    dispatchBusy: queue.busy,
    replicas: Math.max(1, Math.ceil(apiBusy / BUSY)),
    spoolBytes: documents * bytesOf(request) + shards.count * MANIFEST_BYTES_A_SHARD,
    store: storeOf(request, { chunks, seconds }),
  };
}

/**
 * Each chunk has as many tokens as fit; all but the first repeat the end of the one before. Document lengths vary, so
 * if a document needs more than one chunk, the last is half full on average.
 */
function chunking({ tokensPerDocument, chunkTokens }: PlanRequest) {
  const room = chunkTokens - SPECIAL_TOKENS;
  // A profile repeats at most half a chunk.
  const overlap = Math.min(OVERLAP, Math.floor(room / 2));
  const chunksPerDocument =
    tokensPerDocument <= room ? 1 : (tokensPerDocument - overlap) / (room - overlap) + 0.5;
  const repeated = (chunksPerDocument - 1) * overlap;
  return {
    chunksPerDocument,
    tokensPerDocument: tokensPerDocument + repeated + chunksPerDocument * SPECIAL_TOKENS,
  };
}

/** The bytes of one document as a line of NDJSON. */
function bytesOf({
  tokensPerDocument,
  bytesPerToken,
}: Pick<PlanRequest, 'tokensPerDocument' | 'bytesPerToken'>): number {
  return tokensPerDocument * bytesPerToken + BYTES_AROUND_TEXT;
}

/** Shards as the scan cuts them: at a number of documents or of bytes, whichever is reached first. */
function shardsOf(
  { documents, tokensPerDocument: ownTokens, bytesPerToken, tokensPerSecond, jobs }: PlanRequest,
  { tokensPerDocument, seconds }: { tokensPerDocument: number; seconds: number },
): Plan['shards'] {
  const line = bytesOf({ tokensPerDocument: ownTokens, bytesPerToken });
  const perShard = Math.max(1, Math.min(SHARD_LIMITS.documents, Math.floor(SHARD_LIMITS.bytes / line)));
  const count = jobs * Math.ceil(documents / jobs / perShard);
  return {
    count,
    documents: perShard,
    bytes: perShard * line,
    seconds: (perShard * tokensPerDocument) / tokensPerSecond,
    perSecond: count / seconds,
  };
}

/**
 * The most shards on the queue and in workers' hands: one of each job; what workers have in hand, and at their start
 * twice that again, while the lead doubles; and four times what they take between two looks (libs/queue's lead), which
 * are further apart the more a dispatcher has to add. The simulation's tests check this bound.
 */
function queueOf({ workers, perSecond, jobs }: { workers: number; perSecond: number; jobs: number }) {
  const inHand = workers * SHARDS_IN_HAND;
  const busy = (perSecond / jobs) * ADD_SECONDS;
  const lead = (4 * perSecond * POLL_SECONDS) / (1 - Math.min(BUSY, busy));
  const mostShards = Math.max(MOST_SHARDS, Math.ceil(inHand + lead));
  const outstanding = Math.ceil(jobs + 3 * inHand + lead);
  return { busy, mostShards, outstandingShards: Math.min(jobs * mostShards, outstanding) };
}

function storeOf(
  { dims, storage, sparse, tokensPerDocument, bytesPerToken, documents }: PlanRequest,
  { chunks, seconds }: { chunks: number; seconds: number },
): Plan['store'] {
  const tokensPerChunk = (tokensPerDocument * documents) / chunks;
  const terms = sparse.reduce((sum, scheme) => sum + termsOf(scheme, tokensPerChunk), 0);
  const text = tokensPerChunk * bytesPerToken;
  const dense = 4 * dims;
  const firstLook = { float32: dense, int8: dims, binary: dims / 8 }[storage];
  const quantised = storage === 'float32' ? 0 : firstLook;
  const pointsPerSecond = chunks / seconds;
  const sparseBytes = terms * QDRANT_BYTES_A_TERM;
  const payload = PAYLOAD_BYTES + text;
  return {
    pointsPerSecond,
    qdrant: {
      diskBytes: chunks * (QDRANT_ROOM * (dense + quantised + sparseBytes + payload) + HNSW_BYTES_A_POINT),
      memoryBytes: chunks * (QDRANT_ROOM * (firstLook + sparseBytes / 2) + HNSW_BYTES_A_POINT),
    },
    zvec: {
      diskBytes:
        chunks *
        (ZVEC_BYTES_A_POINT +
          dense +
          text +
          terms * ZVEC_BYTES_A_TERM +
          (storage === 'float32' ? 0 : dims * ZVEC_QUANTISED_BYTES_A_DIM)),
      busy: pointsPerSecond / ZVEC_POINTS_A_SECOND,
    },
  };
}

/**
 * Weighted terms of a chunk. Its own words give about half as many terms as it has tokens; SPLADE adds more, up to a
 * profile's limit.
 */
function termsOf(scheme: SparseScheme, tokensPerChunk: number): number {
  switch (scheme) {
    case 'bm25':
    case 'bm42':
      return tokensPerChunk / 2;
    case 'splade':
      return Math.min(256, 50 + tokensPerChunk);
  }
}
