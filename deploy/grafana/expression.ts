import { METRICS, type MetricEntry } from '@embedmill/metrics';

/**
 * PromQL over the metrics of libs/metrics. Metrics go by their keys in the table and labels by its names and values, so
 * that one that is renamed there, or goes, does not compile here.
 */
type Table = typeof METRICS;
export type MetricKey = keyof Table;
type KeysOf<Type extends MetricEntry['type']> = {
  [Key in MetricKey]: Table[Key]['type'] extends Type ? Key : never;
}[MetricKey];

type LabelsOf<Key extends MetricKey> = {
  readonly [
    Label in keyof Table[Key]['labels']
  ]?: Table[Key]['labels'][Label] extends readonly (infer Value)[] ? Value : string;
};
type LabelOf<Key extends MetricKey> = keyof Table[Key]['labels'] | 'pool' | 'instance';

/** What a worker's series are chosen by; the API's only by their job, because no pool has them. */
const WORKER_MATCHERS = ['job=~"$job"', 'pool=~"$pool"', 'instance=~"$instance"'];
const API_MATCHERS = ['job=~"$job"'];

export function gauge<Key extends KeysOf<'gauge'>>(key: Key, labels: LabelsOf<Key> = {}): string {
  return series(key, '', labels);
}

/** Per second, as Grafana chooses the stretch of time. */
export function rate<Key extends KeysOf<'counter'>>(key: Key, labels: LabelsOf<Key> = {}): string {
  return `rate(${series(key, '', labels)}[$__rate_interval])`;
}

export function increase<Key extends KeysOf<'counter'>>(key: Key, labels: LabelsOf<Key> = {}): string {
  return `increase(${series(key, '', labels)}[$__rate_interval])`;
}

/** Of a histogram: observations per second, or what they sum up to per second. */
export function rateOf<Key extends KeysOf<'histogram'>>(
  part: 'count' | 'sum',
  key: Key,
  labels: LabelsOf<Key> = {},
): string {
  return `rate(${series(key, `_${part}`, labels)}[$__rate_interval])`;
}

/** A quantile of a histogram, 0 to 1, for each value of some labels. */
export function quantile<Key extends KeysOf<'histogram'>>(
  share: number,
  key: Key,
  by: readonly LabelOf<Key>[] = [],
  labels: LabelsOf<Key> = {},
): string {
  const buckets = `rate(${series(key, '_bucket', labels)}[$__rate_interval])`;
  return `histogram_quantile(${share}, ${sum(buckets, ['le', ...by.map(String)])})`;
}

export function sum(expression: string, by: readonly string[] = []): string {
  return by.length === 0 ? `sum(${expression})` : `sum by (${by.join(', ')}) (${expression})`;
}

/** What every API replica says alike, counted once. */
export function once(expression: string, by: readonly string[] = []): string {
  return by.length === 0 ? `max(${expression})` : `max by (${by.join(', ')}) (${expression})`;
}

/** A quotient, without a value where nothing is divided by. */
export function over(dividend: string, divisor: string): string {
  return `${dividend} / (${divisor} > 0)`;
}

/** A metric that prom-client serves beside those of the table, of workers. */
export function processSeries(
  name:
    | 'process_resident_memory_bytes'
    | 'process_cpu_seconds_total'
    | 'nodejs_eventloop_lag_p99_seconds'
    | 'nodejs_heap_size_used_bytes',
): string {
  return `${name}{${WORKER_MATCHERS.join(',')}}`;
}

/** Of NVIDIA's DCGM exporter, which has a job of its own. */
export function gpu(
  name:
    | 'DCGM_FI_DEV_GPU_UTIL'
    | 'DCGM_FI_DEV_FB_USED'
    | 'DCGM_FI_DEV_FB_FREE'
    | 'DCGM_FI_DEV_POWER_USAGE'
    | 'DCGM_FI_PROF_PIPE_TENSOR_ACTIVE',
): string {
  return name;
}

function series(key: MetricKey, suffix: string, labels: Readonly<Record<string, unknown>>): string {
  const { name, apps }: MetricEntry = METRICS[key];
  const matchers = apps.includes('worker') ? WORKER_MATCHERS : API_MATCHERS;
  const own = Object.entries(labels).map(([label, value]) => `${label}="${String(value)}"`);
  return `${name}${suffix}{${[...matchers, ...own].join(',')}}`;
}
