/**
 * What documents, shards and points take, as measured on the machine of rates.ts unless a source is named. The tests
 * beside this measure again what can be measured anywhere.
 */

/** Bytes of Redis that a shard takes from when it is added until its result is folded; measured: 1,880–2,070. */
export const REDIS_BYTES_A_SHARD = 2000;
/** Bytes of Redis that a job takes until two weeks after its end; measured: 2,980 while it waits, a third of it in the lists that pages are read from. */
export const REDIS_BYTES_A_JOB = 3300;
/** An empty Redis with the connections of a few processes. */
export const REDIS_BYTES_BASE = 5e6;
/** CPU time of Redis, which has one thread for it, from adding a shard to folding its result; measured: 0.107 ms. */
export const REDIS_SECONDS_A_SHARD = 0.00011;

/** What adding a shard to the queue takes a dispatcher; measured on one machine: 0.09–0.15 ms, and over a network more. */
export const ADD_SECONDS = 0.0005;

/** Of the API's CPU: receiving a document, scanning it, handing out its shard (docs/performance.md). */
export const API_SECONDS_A_DOCUMENT = 13e-6;
/** Of it, the scan, which is over before a job's first shard is dispatched; measured: 3.4–4.8 µs. */
export const SCAN_SECONDS_A_DOCUMENT = 5e-6;
/** A line of the manifest; measured: 86–87. */
export const MANIFEST_BYTES_A_SHARD = 90;

/** English text, by the tokens of BERT's vocabulary; measured on the bench's corpora: 4.25–4.36. */
export const BYTES_A_TOKEN = 4.3;
/** `{"id":"…","text":"…"}` around a document's text, with an id of twelve letters. */
export const BYTES_AROUND_TEXT = 32;
/** A point's payload as JSON, without its text and the user's own metadata. */
export const PAYLOAD_BYTES = 280;

/** Of the index's links, as Qdrant has it by default. */
const HNSW_M = 16;
/**
 * (2M + M · 1/ln M) links of 4 bytes, of Malkov and Yashunin, "Efficient and robust approximate nearest neighbor
 * search using Hierarchical Navigable Small World graphs" (2016), section 4.2.3.
 */
export const HNSW_BYTES_A_POINT = Math.round((2 * HNSW_M + HNSW_M / Math.log(HNSW_M)) * 4);
/** What Qdrant's capacity planning (qdrant.tech/documentation/guides/capacity-planning) multiplies by, for room to optimize. */
export const QDRANT_ROOM = 1.5;
/** An index and a weight of four bytes each, in the vector and in the inverted index. */
export const QDRANT_BYTES_A_TERM = 16;

/** zvec on disk, beside vector and text; measured with 20,000 points: 720. */
export const ZVEC_BYTES_A_POINT = 720;
/** Measured: 15. */
export const ZVEC_BYTES_A_TERM = 15;
/** What quantising adds for each number; measured: 1.37. */
export const ZVEC_QUANTISED_BYTES_A_DIM = 1.4;
/** zvec writes with one thread: 60 µs a document (docs/performance.md). */
export const ZVEC_POINTS_A_SECOND = 16_000;
