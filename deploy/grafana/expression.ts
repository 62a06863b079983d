import { METRICS, type MetricEntry } from '@embedmill/metrics';

/**
 * PromQL over the metrics of libs/metrics. Metrics are given by their keys in its table and labels by their names and
 * values there, so that expressions with a renamed or removed metric do not compile.
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

/** How a worker's series are selected. The API's are selected only by job, because they have no pool. */
const WORKER_MATCHERS = ['job=~"$job"', 'pool=~"$pool"', 'instance=~"$instance"'];
const API_MATCHERS = ['job=~"$job"'];

export function gauge<Key extends KeysOf<'gauge'>>(key: Key, labels: LabelsOf<Key> = {}): string {
  return series(key, '', labels);
}

/** The rate per second, over the interval that Grafana chooses. */
export function rate<Key extends KeysOf<'counter'>>(key: Key, labels: LabelsOf<Key> = {}): string {
  return `rate(${series(key, '', labels)}[$__rate_interval])`;
}

export function increase<Key extends KeysOf<'counter'>>(key: Key, labels: LabelsOf<Key> = {}): string {
  return `increase(${series(key, '', labels)}[$__rate_interval])`;
}

/** The rate of a histogram's count or sum, per second. */
export function rateOf<Key extends KeysOf<'histogram'>>(
  part: 'count' | 'sum',
  key: Key,
  labels: LabelsOf<Key> = {},
): string {
  return `rate(${series(key, `_${part}`, labels)}[$__rate_interval])`;
}

/** A quantile of a histogram, from 0 to 1, for each value of some labels. */
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

/** A value that every API replica reports alike, counted once. */
export function once(expression: string, by: readonly string[] = []): string {
  return by.length === 0 ? `max(${expression})` : `max by (${by.join(', ')}) (${expression})`;
}

/** A quotient that has no value if the divisor is 0. */
export function over(dividend: string, divisor: string): string {
  return `${dividend} / (${divisor} > 0)`;
}

/** A default metric of prom-client, of workers. */
export function processSeries(
  name:
    | 'process_resident_memory_bytes'
    | 'process_cpu_seconds_total'
    | 'nodejs_eventloop_lag_p99_seconds'
    | 'nodejs_heap_size_used_bytes',
): string {
  return `${name}{${WORKER_MATCHERS.join(',')}}`;
}

/** A metric of NVIDIA's DCGM exporter, which is scraped under another job. */
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
