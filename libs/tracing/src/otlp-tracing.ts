import { setTimeout } from 'node:timers/promises';
import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Span,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Attributes, Tracing } from './tracing.ts';

const TRACES = '/v1/traces';
/** How often spans are exported at least. */
const DELAY_MS = 2000;
/** The time limit for an export; after it, the spans are lost. */
const EXPORT_MS = 5000;
const CLOSE_MS = 2000;

export function startOtlpTracing(url: string, service: string): Tracing {
  const base = url.replace(/\/+$/, '');
  const exporter = new OTLPTraceExporter({
    url: base.endsWith(TRACES) ? base : `${base}${TRACES}`,
    timeoutMillis: EXPORT_MS,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        scheduledDelayMillis: DELAY_MS,
        exportTimeoutMillis: EXPORT_MS,
      }),
    ],
  });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const tracer = provider.getTracer('embedmill');

  return {
    isOn: true,
    inSpan: (name, work) =>
      tracer.startActiveSpan(name, async (span) => {
        try {
          return await work();
        } catch (error) {
          fail(span, error);
          throw error;
        } finally {
          span.end();
        }
      }),
    annotate: (attributes) => void trace.getActiveSpan()?.setAttributes(known(attributes)),
    startRequest(headers) {
      const caller = propagation.extract(ROOT_CONTEXT, headers);
      const span = tracer.startSpan('request', { kind: SpanKind.SERVER }, caller);
      const inside = trace.setSpan(caller, span);
      return {
        run: (work) => context.with(inside, work),
        end(name, attributes, isError) {
          span.updateName(name);
          span.setAttributes(known(attributes));
          if (isError) span.setStatus({ code: SpanStatusCode.ERROR });
          span.end();
        },
      };
    },
    async close() {
      // Spans that cannot be sent now are lost: nobody must wait for an unavailable collector.
      const given = setTimeout(CLOSE_MS, undefined, { ref: false });
      await Promise.race([provider.shutdown().catch(() => undefined), given]);
    },
  };
}

function fail(span: Span, error: unknown): void {
  span.recordException(error instanceof Error ? error : String(error));
  span.setStatus({ code: SpanStatusCode.ERROR });
}

function known(attributes: Attributes): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
