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
/** Names of the model registry: few, but not known here. */
const MODELS = { atMost: 50 } as const;

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

export const METRICS = {
  documents: {
    name: 'embedmill_documents_total',
    type: 'counter',
    unit: 'documents',
    help: 'Documents settled, by what became of them. A shard that is run again counts again.',
    labels: { outcome: ['stored', 'skipped', 'failed', 'duplicate'] },
    apps: ['worker'],
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
    help: 'Documents that failed, by the stage where they did and the code of the error catalogue.',
    labels: { stage: STAGES, reason: { atMost: 60 } },
    apps: ['worker'],
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
  engineRestarts: {
    name: 'embedmill_engine_restarts_total',
    type: 'counter',
    unit: 'restarts',
    help: 'Engine processes that were started again, by why the one before ended.',
    labels: { reason: ['crash', 'timeout', 'memory'] },
    apps: ['worker'],
  },
  queueShards: {
    name: 'embedmill_queue_shards',
    type: 'gauge',
    unit: 'shards',
    help: 'Shards on the queue. The same number from every API replica: take the maximum, not the sum.',
    labels: { state: ['waiting', 'active'] },
    apps: ['api'],
  },
  queueOldestSeconds: {
    name: 'embedmill_queue_oldest_age_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'Age of the oldest shard that no worker has claimed. The same from every API replica.',
    labels: {},
    apps: ['api'],
  },
  jobs: {
    name: 'embedmill_jobs_submitted_total',
    type: 'counter',
    unit: 'jobs',
    help: 'Jobs accepted, by where their documents come from.',
    labels: { source: ['upload', 'inline', 'path', 'url', 'retry', 'collection'] },
    apps: ['api'],
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
