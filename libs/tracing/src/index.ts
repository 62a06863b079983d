export { startTracing } from './start-tracing.ts';
export { NO_TRACING, type Attributes, type RequestSpan, type Tracing } from './tracing.ts';
