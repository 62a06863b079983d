export { NO_TRACING, startTracing, type Attributes, type RequestSpan, type Tracing } from './tracing.ts';
