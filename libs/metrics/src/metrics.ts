import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { METRICS, type App, type LabelValues, type MetricEntry } from './table.ts';

type Table = typeof METRICS;

type LabelsOf<Entry extends MetricEntry> = {
  [Label in keyof Entry['labels']]: Entry['labels'][Label] extends readonly (infer Value)[] ? Value : string;
};

/** The labels as a last argument, which a metric without labels does not take. */
type LabelArguments<Entry extends MetricEntry> = keyof Entry['labels'] extends never
  ? []
  : [labels: LabelsOf<Entry>];

export interface CounterHandle<Entry extends MetricEntry> {
  add(amount: number, ...labels: LabelArguments<Entry>): void;
}
export interface GaugeHandle<Entry extends MetricEntry> {
  set(value: number, ...labels: LabelArguments<Entry>): void;
  /** Serves no value while it is unknown. */
  clear(): void;
}
export interface HistogramHandle<Entry extends MetricEntry> {
  observe(value: number, ...labels: LabelArguments<Entry>): void;
}

type HandleOf<Entry extends MetricEntry> = Entry['type'] extends 'counter'
  ? CounterHandle<Entry>
  : Entry['type'] extends 'gauge'
    ? GaugeHandle<Entry>
    : HistogramHandle<Entry>;

type KeysOf<Of extends App> = {
  [Key in keyof Table]: Of extends Table[Key]['apps'][number] ? Key : never;
}[keyof Table];

/** One handle for each of the table's metrics that the app serves. */
export type Handles<Of extends App> = { readonly [Key in KeysOf<Of>]: HandleOf<Table[Key]> };

export type Metrics<Of extends App> = Handles<Of> & {
  /** Runs before every scrape to set gauges; a callback that throws is ignored. */
  beforeScrape(refresh: () => Promise<void>): void;
  /** The Prometheus text format, and the content type that goes with it. */
  render(): Promise<{ contentType: string; body: string }>;
};

/** prom-client's own gauges with a wrong type, because `_total` is for counters. Others give the same data by type. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** The metrics of one process, in their own registry. */
export function createMetrics<Of extends App>(app: Of): Metrics<Of> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const refreshers: (() => Promise<void>)[] = [];
  const entries = Object.entries<MetricEntry>(METRICS).filter(([, entry]) => entry.apps.includes(app));
  const handles = Object.fromEntries(entries.map(([key, entry]) => [key, handleOf(entry, registry)]));
  return {
    ...(handles as unknown as Handles<Of>),
    beforeScrape(refresh: () => Promise<void>) {
      refreshers.push(refresh);
    },
    async render() {
      await Promise.allSettled(refreshers.map((refresh) => refresh()));
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}

type LooseLabels = Record<string, string>;
type LooseHandle = Partial<{
  add(amount: number, labels?: LooseLabels): void;
  set(value: number, labels?: LooseLabels): void;
  clear(): void;
  observe(value: number, labels?: LooseLabels): void;
}>;

function handleOf(entry: MetricEntry, registry: Registry): LooseHandle {
  const { name, help, buckets } = entry;
  const options = { name, help, labelNames: Object.keys(entry.labels), registers: [registry] };
  const bounded = boundLabels(entry.labels);
  switch (entry.type) {
    case 'counter': {
      const counter = new Counter(options);
      // Events that have not happened yet are 0 and not absent, because otherwise the first one would not be an increase.
      for (const labels of knownLabels(entry.labels)) counter.inc(labels, 0);
      return { add: (amount, labels) => counter.inc(bounded(labels), amount) };
    }
    case 'gauge': {
      const gauge = new Gauge(options);
      return { set: (value, labels) => gauge.set(bounded(labels), value), clear: () => gauge.reset() };
    }
    case 'histogram': {
      const histogram = new Histogram({ ...options, ...(buckets && { buckets: [...buckets] }) });
      return { observe: (value, labels) => histogram.observe(bounded(labels), value) };
    }
  }
}

/** All combinations of labels with listed values; none if any label has no list. */
function knownLabels(allowed: Readonly<Record<string, LabelValues>>): LooseLabels[] {
  let combinations: LooseLabels[] = [{}];
  for (const [label, values] of Object.entries(allowed)) {
    if ('atMost' in values) return [];
    combinations = combinations.flatMap((others) => values.map((value) => ({ ...others, [label]: value })));
  }
  return combinations;
}

/** Keeps each label within the limits of the table; values beyond become `other`. */
function boundLabels(allowed: Readonly<Record<string, LabelValues>>): (labels?: LooseLabels) => LooseLabels {
  const seen = new Map<string, Set<string>>();
  const bound = (label: string, values: LabelValues, value: string): string => {
    if (!('atMost' in values)) return values.includes(value) ? value : 'other';
    const known = seen.get(label) ?? new Set();
    seen.set(label, known);
    if (known.size < values.atMost) known.add(value);
    return known.has(value) ? value : 'other';
  };
  return (labels = {}) =>
    Object.fromEntries(
      Object.entries(allowed).map(([label, values]) => [
        label,
        bound(label, values, labels[label] ?? 'other'),
      ]),
    );
}
