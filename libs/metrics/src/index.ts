export { runChecks, type Check, type HealthReport } from './health.ts';
export {
  createMetrics,
  type CounterHandle,
  type GaugeHandle,
  type Handles,
  type HistogramHandle,
  type Metrics,
} from './metrics.ts';
export { isLoopback, isOwnHost } from './own-host.ts';
export { serveHealth, type HealthServer, type HealthServerOptions } from './serve-health.ts';
export { METRICS, STAGES, type App, type LabelValues, type MetricEntry, type Stage } from './table.ts';
