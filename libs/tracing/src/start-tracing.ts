import { NO_TRACING, type Tracing } from './tracing.ts';

/**
 * Sends spans to an OTLP/HTTP collector: `url` is its base, as in http://127.0.0.1:4318. Without a url, `NO_TRACING`, and
 * nothing of OpenTelemetry is loaded. Once a process: OpenTelemetry's own code finds it from then on.
 */
export async function startTracing(options: { url: string | undefined; service: string }): Promise<Tracing> {
  const { url, service } = options;
  if (url === undefined) return NO_TRACING;
  const { startOtlpTracing } = await import('./otlp-tracing.ts');
  return startOtlpTracing(url, service);
}
