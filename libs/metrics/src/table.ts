/**
 * Every metric of embedmill: name, type, unit, help, labels, buckets, and the apps that serve it. Only metrics in
 * this table can be recorded. Names follow Prometheus' rules: the prefix, base units, `_total` on counters.
 *
 * A label's values are either listed or limited in number: at most that many get a series of their own, and the
 * rest share `other`. So no label grows without bound, whatever is recorded. Ids of jobs, documents and requests
 * are never labels.
 *
 * Both apps also serve prom-client's default metrics of the process and of Node: memory, CPU, garbage collection
 * and event loop lag (`nodejs_eventloop_lag_*_seconds`).
 */
export type App = 'api' | 'worker';

/** The known values, or how many unknown values get a series of their own. */
export type LabelValues = readonly string[] | { readonly atMost: number };

export interface MetricEntry {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** The unit; the name ends in it where Prometheus requires that. */
  readonly unit: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  readonly buckets?: readonly number[];
  readonly apps: readonly App[];
}

/** The stages of a worker's pipeline, in order. */
export const STAGES = ['read', 'lookup', 'tokenize', 'picture', 'infer', 'upsert', 'settle'] as const;
export type Stage = (typeof STAGES)[number];

const LANES = ['bulk', 'interactive'] as const;
/** Calls of the vector store; writing documents is `upsert`. */
const STORE_OPERATIONS = ['lookup', 'upsert', 'delete', 'search', 'read', 'define'] as const;
/** Names in the model registry: few, but not known here. */
const MODELS = { atMost: 50 } as const;

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

export const METRICS = {
  documents: {
    name: 'embedmill_documents_total',
    type: 'counter',
    unit: 'documents',
    help: 'Documents settled, by their collection’s dense model and outcome; gone: deleted because a snapshot lacks them. Reprocessed documents count again.',
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
    help: 'Documents that were embedded only in part.',
    labels: {},
    apps: ['worker'],
  },
  failures: {
    name: 'embedmill_document_failures_total',
    type: 'counter',
    unit: 'documents',
    help: 'Documents that failed, by stage and error code. At `settle`, whole shards were given up.',
    labels: { stage: STAGES, reason: { atMost: 60 } },
    apps: ['worker', 'api'],
  },
  shards: {
    name: 'embedmill_shards_total',
    type: 'counter',
    unit: 'shards',
    help: 'Shards processed: settled, or returned to be retried.',
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
    help: 'Chunks whose dense vector was reused from the store because its input had not changed.',
    labels: {},
    apps: ['worker'],
  },
  tokens: {
    name: 'embedmill_tokens_total',
    type: 'counter',
    unit: 'tokens',
    help: 'Tokens run through a model, including special tokens but not padding.',
    labels: { model: MODELS, lane: LANES },
    apps: ['worker'],
  },
  paddingTokens: {
    name: 'embedmill_padding_tokens_total',
    type: 'counter',
    unit: 'tokens',
    help: 'Padding tokens run through a model: the waste of batching.',
    labels: { model: MODELS, lane: LANES },
    apps: ['worker'],
  },
  batchItems: {
    name: 'embedmill_batch_items',
    type: 'histogram',
    unit: 'items',
    help: 'Chunks or queries per model run.',
    labels: { lane: LANES },
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    apps: ['worker'],
  },
  batchTokens: {
    name: 'embedmill_batch_tokens',
    type: 'histogram',
    unit: 'tokens',
    help: 'Tokens per model run, without padding.',
    labels: { lane: LANES },
    buckets: [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536],
    apps: ['worker'],
  },
  batchSeconds: {
    name: 'embedmill_batch_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Duration of a model run on its engine, without waiting.',
    labels: { lane: LANES },
    buckets: SECONDS,
    apps: ['worker'],
  },
  stageSeconds: {
    name: 'embedmill_stage_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Duration of a stage for a shard, including waits for engines and the store.',
    labels: { stage: STAGES },
    buckets: SECONDS,
    apps: ['worker'],
  },
  queueWaitSeconds: {
    name: 'embedmill_queue_wait_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time that a shard or query spent on the queue before a worker first claimed it.',
    labels: { lane: LANES },
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600],
    apps: ['worker'],
  },
  shardStalls: {
    name: 'embedmill_shard_stalls_total',
    type: 'counter',
    unit: 'shards',
    help: 'Shards that returned to the queue because their worker sent no heartbeat; counted by the worker that noticed.',
    labels: {},
    apps: ['worker'],
  },
  engines: {
    name: 'embedmill_engines',
    type: 'gauge',
    unit: 'processes',
    help: 'Running engine processes; 0 if a remote server embeds.',
    labels: {},
    apps: ['worker'],
  },
  engineMemoryBytes: {
    name: 'embedmill_engine_resident_memory_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Total resident memory of the worker’s engine processes. On Linux only.',
    labels: {},
    apps: ['worker'],
  },
  engineRestarts: {
    name: 'embedmill_engine_restarts_total',
    type: 'counter',
    unit: 'restarts',
    help: 'Engine process restarts, by the reason why the previous one ended.',
    labels: { reason: ['crash', 'timeout', 'memory'] },
    apps: ['worker'],
  },
  storeSeconds: {
    name: 'embedmill_store_request_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Duration of a vector store call, including retried requests, by outcome.',
    labels: { operation: STORE_OPERATIONS, outcome: ['ok', 'rejected', 'unavailable'] },
    buckets: [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 10, 30],
    apps: ['api', 'worker'],
  },
  storeThrottled: {
    name: 'embedmill_store_throttled_total',
    type: 'counter',
    unit: 'requests',
    help: 'Requests that the vector store rejected with "too many requests"; most are retried.',
    labels: {},
    apps: ['api', 'worker'],
  },
  backlogTokens: {
    name: 'embedmill_backlog_tokens',
    type: 'gauge',
    unit: 'tokens',
    help: 'Estimated pending tokens of all unfinished jobs and waiting queries; only of queries while the queue is paused. Scale workers by this number. The same from every API replica.',
    labels: { model: MODELS },
    apps: ['api'],
  },
  backlogDocuments: {
    name: 'embedmill_backlog_documents',
    type: 'gauge',
    unit: 'documents',
    help: 'Documents of scanned jobs that are not settled yet. The same from every API replica.',
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
    help: 'Unfinished jobs that wait for a dispatcher, or are being dispatched. The same from every API replica.',
    labels: { state: ['waiting', 'active'] },
    apps: ['api'],
  },
  finishedJobs: {
    name: 'embedmill_jobs_finished_total',
    type: 'counter',
    unit: 'jobs',
    help: 'Finished jobs, by final state; counted by the dispatcher that ran them.',
    labels: { state: ['completed', 'cancelled', 'failed'] },
    apps: ['api'],
  },
  webhookDeliveries: {
    name: 'embedmill_webhook_deliveries_total',
    type: 'counter',
    unit: 'deliveries',
    help: 'Attempts to deliver webhooks, by outcome.',
    labels: { outcome: ['delivered', 'refused', 'unavailable'] },
    apps: ['api'],
  },
  dispatcherTurnSeconds: {
    name: 'embedmill_dispatcher_turn_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Duration of a dispatcher turn, in which it checks all its jobs and assigns them room on the queue.',
    labels: {},
    buckets: SECONDS,
    apps: ['api'],
  },
  redisMemoryUsedBytes: {
    name: 'embedmill_redis_memory_used_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory used by the queue’s Redis. The same from every API replica.',
    labels: {},
    apps: ['api'],
  },
  redisMemoryLimitBytes: {
    name: 'embedmill_redis_memory_limit_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory limit of the queue’s Redis: its maxmemory, or the memory of its machine if that is not set.',
    labels: {},
    apps: ['api'],
  },
  redisEvicts: {
    name: 'embedmill_redis_evicts_keys',
    type: 'gauge',
    unit: 'boolean',
    help: 'Whether the maxmemory-policy of the queue’s Redis allows it to evict jobs: 1 or 0.',
    labels: {},
    apps: ['api'],
  },
  queueShards: {
    name: 'embedmill_queue_shards',
    type: 'gauge',
    unit: 'shards',
    help: 'Shards on the queue, by model. Every API replica reports the same number: take the maximum, not the sum.',
    labels: { model: MODELS, state: ['waiting', 'active'] },
    apps: ['api'],
  },
  queueOldestSeconds: {
    name: 'embedmill_queue_oldest_age_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'Age of a model’s oldest shard that no worker has claimed. The same from every API replica.',
    labels: { model: MODELS },
    apps: ['api'],
  },
  jobs: {
    name: 'embedmill_jobs_submitted_total',
    type: 'counter',
    unit: 'jobs',
    help: 'Accepted jobs, by the source of their documents.',
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
    help: 'Submissions and queries refused because a daily quota was used up.',
    labels: { by: ['key', 'tenant'] },
    apps: ['api'],
  },
  engineSeconds: {
    name: 'embedmill_engine_busy_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Time that engines spent running batches.',
    labels: { model: MODELS, lane: LANES },
    apps: ['worker'],
  },
  queries: {
    name: 'embedmill_queries_total',
    type: 'counter',
    unit: 'queries',
    help: 'Queries that requests sent to a model, by outcome; failed: no worker answered, or the server was at fault.',
    labels: { model: MODELS, outcome: ['answered', 'refused', 'failed'] },
    apps: ['api'],
  },
  uploadBytes: {
    name: 'embedmill_upload_bytes_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of completely received uploads.',
    labels: {},
    apps: ['api'],
  },
  httpSeconds: {
    name: 'embedmill_http_request_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from a request’s headers to the end of its response, by route, without event streams.',
    labels: {
      method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      route: { atMost: 50 },
      status: ['2xx', '3xx', '4xx', '5xx'],
    },
    buckets: SECONDS,
    apps: ['api'],
  },
} as const satisfies Record<string, MetricEntry>;
