import { NO_TRACING, type Tracing } from './tracing.ts';

/**
 * Sends spans to an OTLP/HTTP collector with the base `url`, such as http://127.0.0.1:4318. Without a URL returns
 * `NO_TRACING`, and does not load OpenTelemetry. Call it once per process: from then on OpenTelemetry's own API uses
 * it.
 */
export async function startTracing(options: { url: string | undefined; service: string }): Promise<Tracing> {
  const { url, service } = options;
  if (url === undefined) return NO_TRACING;
  const { startOtlpTracing } = await import('./otlp-tracing.ts');
  return startOtlpTracing(url, service);
}
