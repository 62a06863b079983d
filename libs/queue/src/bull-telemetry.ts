import { context, propagation, ROOT_CONTEXT, SpanStatusCode, trace, type Context } from '@opentelemetry/api';
import { SpanKind, type Span, type Telemetry } from 'bullmq';

/**
 * BullMQ's spans in OpenTelemetry, with their context in the messages, so that one trace leads from a request through the
 * queue to the shards. Loaded only if tracing is enabled; OpenTelemetry's API finds the providers.
 *
 * Only adding and processing become spans. BullMQ's own timers (locks, stalled jobs) would constantly create traces of one
 * span each.
 */
export function bullTelemetry(): Telemetry<Context> {
  const tracer = trace.getTracer('embedmill');
  return {
    tracer: {
      startSpan: (name, options, parent) => {
        const kind = options?.kind ?? SpanKind.INTERNAL;
        if (kind !== SpanKind.PRODUCER && kind !== SpanKind.CONSUMER) return SILENT;
        // BullMQ's kinds have the same numbers as OpenTelemetry's.
        return spanOf(tracer.startSpan(nameOf(name), { kind: Number(kind) }, parent ?? context.active()));
      },
    },
    contextManager: {
      with: (inside, work) => context.with(inside, work),
      active: () => context.active(),
      root: () => ROOT_CONTEXT,
      getMetadata(inside) {
        const carrier: Record<string, string> = {};
        propagation.inject(inside, carrier);
        return JSON.stringify(carrier);
      },
      fromMetadata: (active, metadata) => propagation.extract(active, JSON.parse(metadata)),
    },
  };
}

function spanOf(span: ReturnType<ReturnType<typeof trace.getTracer>['startSpan']>): Span<Context> {
  return {
    setSpanOnContext: (inside) => trace.setSpan(inside, span),
    setAttribute: (key, value) => void span.setAttribute(key, value),
    setAttributes: (attributes) => void span.setAttributes(attributes),
    addEvent: (name, attributes) => void span.addEvent(name, attributes),
    recordException(exception) {
      span.recordException(exception instanceof Error ? exception : String(exception));
      span.setStatus({ code: SpanStatusCode.ERROR });
    },
    end: () => span.end(),
  };
}

/** Replaces an unwanted span: work inside belongs to the surrounding span. */
const SILENT: Span<Context> = {
  setSpanOnContext: (inside) => inside,
  setAttribute: () => {},
  setAttributes: () => {},
  addEvent: () => {},
  recordException: () => {},
  end: () => {},
};

/** BullMQ uses the names `add shards-<model>.shard` and `process shards-<model>`. */
function nameOf(name: string): string {
  const [, operation = name, queue] = /^(\w+) (ingest|shards|queries)\b/.exec(name) ?? [];
  switch (queue) {
    case 'ingest':
      return operation === 'add' ? 'submit job' : 'ingest job';
    case 'shards':
      return operation === 'add' ? 'add shard' : 'shard';
    case 'queries':
      return operation === 'add' ? 'ask query' : 'query';
    default:
      return name;
  }
}
