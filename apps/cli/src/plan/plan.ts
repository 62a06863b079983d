/** How large a cluster has to be, and how long it takes: pure arithmetic over what was measured. */
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
  /** Of a document's text, special tokens not counted. */
  tokensPerDocument: number;
  /** Of that text. */
  bytesPerToken: number;
  /** The most a chunk has, special tokens included. */
  chunkTokens: number;
  dims: number;
  storage: 'float32' | 'int8' | 'binary';
  sparse: readonly SparseScheme[];
  /** Of one worker. */
  tokensPerSecond: number;
  /** One of the two is given, the other is what comes out. */
  size: { workers: number } | { hours: number };
  /** What the documents are submitted as. */
  jobs: number;
}

export interface Plan {
  chunks: number;
  /** Run through the model: what chunks repeat and special tokens included. */
  tokens: number;
  workers: number;
  /** From the first shard to the last, without the scan. */
  hours: number;
  shards: { count: number; documents: number; bytes: number; seconds: number; perSecond: number };
  /** Before the first shard of a job, while its source is scanned. */
  scanHours: number;
  redis: { outstandingShards: number; bytes: number; busy: number };
  /** EMBEDMILL_API_MOST_SHARDS that lets one job keep all workers busy. */
  mostShards: number;
  /** Share of its time that a job's dispatcher adds shards. */
  dispatchBusy: number;
  /** API replicas, each of which scans and dispatches a part of the jobs. */
  replicas: number;
  spoolBytes: number;
  /** Points are chunks. Bytes of all of them. */
  store: {
    pointsPerSecond: number;
    qdrant: { diskBytes: number; memoryBytes: number };
    zvec: { diskBytes: number; busy: number };
  };
}

/** What a profile repeats of a chunk in the next one, by default. */
const OVERLAP = 32;
const SPECIAL_TOKENS = 2;
export const POLL_SECONDS = 0.1;
export const SHARDS_IN_HAND = 4;
export const MOST_SHARDS = 10_000;
/** A process that is busier than this has no room for what comes unevenly. */
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
 * Chunks of as many tokens as fit, each but the first repeating the end of the one before. Documents are of many
 * lengths, so of those that need more than one chunk the last is half full on average.
 */
function chunking({ tokensPerDocument, chunkTokens }: PlanRequest) {
  const room = chunkTokens - SPECIAL_TOKENS;
  // A profile repeats half a chunk at most.
  const overlap = Math.min(OVERLAP, Math.floor(room / 2));
  const chunksPerDocument =
    tokensPerDocument <= room ? 1 : (tokensPerDocument - overlap) / (room - overlap) + 0.5;
  const repeated = (chunksPerDocument - 1) * overlap;
  return {
    chunksPerDocument,
    tokensPerDocument: tokensPerDocument + repeated + chunksPerDocument * SPECIAL_TOKENS,
  };
}

/** Of one document, as a line of NDJSON. */
function bytesOf({
  tokensPerDocument,
  bytesPerToken,
}: Pick<PlanRequest, 'tokensPerDocument' | 'bytesPerToken'>): number {
  return tokensPerDocument * bytesPerToken + BYTES_AROUND_TEXT;
}

/** As the scan cuts them: so many documents, or so many bytes, whichever is reached first. */
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
 * Shards on the queue and in workers' hands, at most: one of each job; what workers have in hand, and at their start
 * twice that again, while the lead doubles; and four times what they take between two looks (libs/queue's lead), which are further apart the more a dispatcher has to add. The simulation's tests compare.
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

/** Weighted terms of a chunk: of its own words about half its tokens; what SPLADE adds, up to what a profile keeps. */
function termsOf(scheme: SparseScheme, tokensPerChunk: number): number {
  switch (scheme) {
    case 'bm25':
    case 'bm42':
      return tokensPerChunk / 2;
    case 'splade':
      return Math.min(256, 50 + tokensPerChunk);
  }
}
