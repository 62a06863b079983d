/**
 * Every metric of ours: name, type, unit, help, labels and buckets, and which apps serve it. Nothing records a
 * metric that is not here. Names follow Prometheus' rules: the prefix, base units, `_total` on counters.
 *
 * A label's values are either listed, or counted: at most so many of them get a series of their own, and the
 * rest share `other`. So no label can grow without bound, whatever is recorded. Ids (of jobs, documents,
 * requests) are never labels.
 *
 * Beside these, both apps serve prom-client's default metrics of the process and of Node: memory, CPU,
 * garbage collection, and the event loop's lag (`nodejs_eventloop_lag_*_seconds`).
 */
export type App = 'api' | 'worker';

/** Values that are known by heart, or how many unknown ones are told apart. */
export type LabelValues = readonly string[] | { readonly atMost: number };

export interface MetricEntry {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** What one is of; the name ends in it where Prometheus asks so. */
  readonly unit: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  readonly buckets?: readonly number[];
  readonly apps: readonly App[];
}

/** The walk through a worker, in order. */
export const STAGES = ['read', 'lookup', 'tokenize', 'picture', 'infer', 'upsert', 'settle'] as const;
export type Stage = (typeof STAGES)[number];

const LANES = ['bulk', 'interactive'] as const;
/** Calls of the vector store; documents that are written are `upsert`. */
const STORE_OPERATIONS = ['lookup', 'upsert', 'delete', 'search', 'read', 'define'] as const;
/** Names of the model registry: few, but not known here. */
const MODELS = { atMost: 50 } as const;

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

export const METRICS = {
  documents: {
    name: 'embedmill_documents_total',
    type: 'counter',
    unit: 'documents',
    help: 'Documents settled, by their collection’s dense model and what became of them; gone: deleted because a snapshot lacks them. What is run again counts again.',
    labels: {
      model: MODELS,
      outcome: ['stored', 'skipped', 'failed', 'duplicate', 'superseded', 'deleted', 'gone'],
    },
    apps: ['worker', 'api'],
  },
  documentsTruncated: {
    name: 'embedmill_documents_truncated_total',
    type: 'counter',
    unit: 'documents',
    help: 'Documents of which a part was not embedded.',
    labels: {},
    apps: ['worker'],
  },
  failures: {
    name: 'embedmill_document_failures_total',
    type: 'counter',
    unit: 'documents',
    help: 'Documents that failed, by the stage where they did and the code of the error catalogue. At `settle`, whole shards were given up.',
    labels: { stage: STAGES, reason: { atMost: 60 } },
    apps: ['worker', 'api'],
  },
  shards: {
    name: 'embedmill_shards_total',
    type: 'counter',
    unit: 'shards',
    help: 'Shards worked on: settled, or given back to be tried again.',
    labels: { outcome: ['settled', 'returned'] },
    apps: ['worker'],
  },
  chunks: {
    name: 'embedmill_chunks_total',
    type: 'counter',
    unit: 'chunks',
    help: 'Chunks whose points the store acknowledged.',
    labels: {},
    apps: ['worker'],
  },
  chunksReused: {
    name: 'embedmill_chunks_reused_total',
    type: 'counter',
    unit: 'chunks',
    help: 'Chunks whose dense vector was taken from the store, as nothing that it is made of had changed.',
    labels: {},
    apps: ['worker'],
  },
  tokens: {
    name: 'embedmill_tokens_total',
    type: 'counter',
    unit: 'tokens',
    help: 'Tokens run through a model, special tokens included, padding not.',
    labels: { model: MODELS, lane: LANES },
    apps: ['worker'],
  },
  paddingTokens: {
    name: 'embedmill_padding_tokens_total',
    type: 'counter',
    unit: 'tokens',
    help: 'Padding run through a model: what batching wasted.',
    labels: { model: MODELS, lane: LANES },
    apps: ['worker'],
  },
  batchItems: {
    name: 'embedmill_batch_items',
    type: 'histogram',
    unit: 'items',
    help: 'Chunks or queries in one run of a model.',
    labels: { lane: LANES },
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    apps: ['worker'],
  },
  batchTokens: {
    name: 'embedmill_batch_tokens',
    type: 'histogram',
    unit: 'tokens',
    help: 'Tokens in one run of a model, padding not counted.',
    labels: { lane: LANES },
    buckets: [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536],
    apps: ['worker'],
  },
  batchSeconds: {
    name: 'embedmill_batch_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'How long a run of a model took on its engine, waiting not counted.',
    labels: { lane: LANES },
    buckets: SECONDS,
    apps: ['worker'],
  },
  stageSeconds: {
    name: 'embedmill_stage_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'How long a shard took to pass through a stage, waiting for engines and the store included.',
    labels: { stage: STAGES },
    buckets: SECONDS,
    apps: ['worker'],
  },
  queueWaitSeconds: {
    name: 'embedmill_queue_wait_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'How long a shard or query lay on the queue before a worker took it for the first time.',
    labels: { lane: LANES },
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600],
    apps: ['worker'],
  },
  shardStalls: {
    name: 'embedmill_shard_stalls_total',
    type: 'counter',
    unit: 'shards',
    help: 'Shards that went back to the queue because their worker gave no sign of life; told by the worker that noticed.',
    labels: {},
    apps: ['worker'],
  },
  engines: {
    name: 'embedmill_engines',
    type: 'gauge',
    unit: 'processes',
    help: 'Engine processes that run; 0 where a server elsewhere embeds.',
    labels: {},
    apps: ['worker'],
  },
  engineMemoryBytes: {
    name: 'embedmill_engine_resident_memory_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Resident memory of all engine processes of the worker together. On Linux only.',
    labels: {},
    apps: ['worker'],
  },
  engineRestarts: {
    name: 'embedmill_engine_restarts_total',
    type: 'counter',
    unit: 'restarts',
    help: 'Engine processes that were started again, by why the one before ended.',
    labels: { reason: ['crash', 'timeout', 'memory'] },
    apps: ['worker'],
  },
  storeSeconds: {
    name: 'embedmill_store_request_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'How long a call of the vector store took, repeated requests included, by how it ended.',
    labels: { operation: STORE_OPERATIONS, outcome: ['ok', 'rejected', 'unavailable'] },
    buckets: [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 10, 30],
    apps: ['api', 'worker'],
  },
  storeThrottled: {
    name: 'embedmill_store_throttled_total',
    type: 'counter',
    unit: 'requests',
    help: 'Requests that the vector store answered with "too many requests"; most are sent again.',
    labels: {},
    apps: ['api', 'worker'],
  },
  backlogTokens: {
    name: 'embedmill_backlog_tokens',
    type: 'gauge',
    unit: 'tokens',
    help: 'Tokens to go of all unfinished jobs, estimated, and of queries that wait; of queries alone while the queue is paused. The number to scale workers by. The same from every API replica.',
    labels: { model: MODELS },
    apps: ['api'],
  },
  backlogDocuments: {
    name: 'embedmill_backlog_documents',
    type: 'gauge',
    unit: 'documents',
    help: 'Documents of scanned jobs that are not settled. The same from every API replica.',
    labels: { model: MODELS },
    apps: ['api'],
  },
  queuePaused: {
    name: 'embedmill_queue_paused',
    type: 'gauge',
    unit: 'boolean',
    help: 'Whether the queue is paused: 1 or 0. The same from every API replica.',
    labels: {},
    apps: ['api'],
  },
  unfinishedJobs: {
    name: 'embedmill_jobs',
    type: 'gauge',
    unit: 'jobs',
    help: 'Unfinished jobs: that wait for a dispatcher, and that one has in hand. The same from every API replica.',
    labels: { state: ['waiting', 'active'] },
    apps: ['api'],
  },
  finishedJobs: {
    name: 'embedmill_jobs_finished_total',
    type: 'counter',
    unit: 'jobs',
    help: 'Jobs that ended, by how; told by the dispatcher that had them.',
    labels: { state: ['completed', 'cancelled', 'failed'] },
    apps: ['api'],
  },
  webhookDeliveries: {
    name: 'embedmill_webhook_deliveries_total',
    type: 'counter',
    unit: 'deliveries',
    help: 'Tries to deliver webhooks, by what came of them.',
    labels: { outcome: ['delivered', 'refused', 'unavailable'] },
    apps: ['api'],
  },
  dispatcherTurnSeconds: {
    name: 'embedmill_dispatcher_turn_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'How long a turn of a dispatcher took: one look at all its jobs, and room on the queue given to them.',
    labels: {},
    buckets: SECONDS,
    apps: ['api'],
  },
  redisMemoryUsedBytes: {
    name: 'embedmill_redis_memory_used_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory that the queue’s Redis uses. The same from every API replica.',
    labels: {},
    apps: ['api'],
  },
  redisMemoryLimitBytes: {
    name: 'embedmill_redis_memory_limit_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Its maxmemory, or the memory of its machine where that is not set.',
    labels: {},
    apps: ['api'],
  },
  redisEvicts: {
    name: 'embedmill_redis_evicts_keys',
    type: 'gauge',
    unit: 'boolean',
    help: 'Whether its maxmemory-policy lets it drop jobs: 1 or 0.',
    labels: {},
    apps: ['api'],
  },
  queueShards: {
    name: 'embedmill_queue_shards',
    type: 'gauge',
    unit: 'shards',
    help: 'Shards on the queue, by the model that they wait for. The same number from every API replica: take the maximum, not the sum.',
    labels: { model: MODELS, state: ['waiting', 'active'] },
    apps: ['api'],
  },
  queueOldestSeconds: {
    name: 'embedmill_queue_oldest_age_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'Age of the oldest shard of a model that no worker has claimed. The same from every API replica.',
    labels: { model: MODELS },
    apps: ['api'],
  },
  jobs: {
    name: 'embedmill_jobs_submitted_total',
    type: 'counter',
    unit: 'jobs',
    help: 'Jobs accepted, by where their documents come from.',
    labels: {
      source: [
        'upload',
        'inline',
        'path',
        's3',
        'url',
        'files',
        'retry',
        'verify',
        'collection',
        'deletion',
        'batch',
        'dataset',
        'watch',
      ],
    },
    apps: ['api'],
  },
  quotaRefusals: {
    name: 'embedmill_quota_refusals_total',
    type: 'counter',
    unit: 'requests',
    help: 'Submissions and queries that were refused because a quota of the day was used up.',
    labels: { by: ['key', 'tenant'] },
    apps: ['api'],
  },
  engineSeconds: {
    name: 'embedmill_engine_busy_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Time that engines ran batches.',
    labels: { model: MODELS, lane: LANES },
    apps: ['worker'],
  },
  uploadBytes: {
    name: 'embedmill_upload_bytes_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of uploads that were received whole.',
    labels: {},
    apps: ['api'],
  },
  httpSeconds: {
    name: 'embedmill_http_request_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'From a request’s headers to the end of its response, by route. Streams of events are left out.',
    labels: {
      method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      route: { atMost: 50 },
      status: ['2xx', '3xx', '4xx', '5xx'],
    },
    buckets: SECONDS,
    apps: ['api'],
  },
} as const satisfies Record<string, MetricEntry>;
