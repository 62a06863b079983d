/**
 * What documents, shards and points cost, measured on the machine of rates.ts unless a source is named. The tests
 * beside this file repeat the measurements that can run anywhere.
 */

/** Bytes of Redis that a shard takes from when it is added until its result is folded; measured: 1,880–2,070. */
export const REDIS_BYTES_A_SHARD = 2000;
/**
 * Bytes of Redis that a job takes until two weeks after its end. Measured: 2,980 while it waits, a third of it in the
 * lists from which pages are read.
 */
export const REDIS_BYTES_A_JOB = 3300;
/** An empty Redis with the connections of a few processes. */
export const REDIS_BYTES_BASE = 5e6;
/** CPU time of Redis, on its single thread, from adding a shard to folding its result; measured: 0.107 ms. */
export const REDIS_SECONDS_A_SHARD = 0.00011;

/**
 * The time that a dispatcher takes to add a shard to the queue; measured on one machine: 0.09–0.15 ms, and more over a
 * network.
 */
export const ADD_SECONDS = 0.0005;

/** CPU time of the API to receive a document, scan it and hand out its shard (docs/performance.md). */
export const API_SECONDS_A_DOCUMENT = 13e-6;
/** The scan's part of it; measured: 3.4–4.8 µs. */
export const SCAN_SECONDS_A_DOCUMENT = 5e-6;
/** A line of the manifest; measured: 86–87. */
export const MANIFEST_BYTES_A_SHARD = 90;

/** English text, in tokens of BERT's vocabulary; measured on the benchmark's corpora: 4.25–4.36. */
export const BYTES_A_TOKEN = 4.3;
/** `{"id":"…","text":"…"}` around a document's text, with an id of twelve letters. */
export const BYTES_AROUND_TEXT = 32;
/** A point's payload as JSON, without its text and the user's own metadata. */
export const PAYLOAD_BYTES = 280;

/** The M of the HNSW index, by Qdrant's default. */
const HNSW_M = 16;
/**
 * (2M + M · 1/ln M) links of 4 bytes, from Malkov and Yashunin, "Efficient and robust approximate nearest neighbor
 * search using Hierarchical Navigable Small World graphs" (2016), section 4.2.3.
 */
export const HNSW_BYTES_A_POINT = Math.round((2 * HNSW_M + HNSW_M / Math.log(HNSW_M)) * 4);
/**
 * The factor of Qdrant's capacity planning (qdrant.tech/documentation/guides/capacity-planning), which leaves room for
 * optimization.
 */
export const QDRANT_ROOM = 1.5;
/** An index and a weight of four bytes each, in the vector and in the inverted index. */
export const QDRANT_BYTES_A_TERM = 16;

/** zvec on disk, besides vector and text; measured with 20,000 points: 720. */
export const ZVEC_BYTES_A_POINT = 720;
/** Measured: 15. */
export const ZVEC_BYTES_A_TERM = 15;
/** Bytes that quantising adds for each number; measured: 1.37. */
export const ZVEC_QUANTISED_BYTES_A_DIM = 1.4;
/** zvec writes with one thread: 60 µs a document (docs/performance.md). */
export const ZVEC_POINTS_A_SECOND = 16_000;
