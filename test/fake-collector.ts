import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';

/**
 * A fake OpenTelemetry collector: accepts traces by OTLP/HTTP in JSON (`ExportTraceServiceRequest` of OTLP 1.x),
 * validates them against the specification, and keeps them.
 */
const attributeSchema = z.object({
  key: z.string().min(1),
  value: z.object({
    stringValue: z.string().optional(),
    // In protobuf's JSON, 64-bit integers are strings; small ones may be numbers.
    intValue: z.union([z.string().regex(/^-?\d+$/), z.int()]).optional(),
    doubleValue: z.number().optional(),
    boolValue: z.boolean().optional(),
  }),
});
const nanoseconds = z.string().regex(/^\d{16,20}$/);
const requestSchema = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(attributeSchema) }),
      scopeSpans: z.array(
        z.object({
          scope: z.object({ name: z.string() }),
          spans: z.array(
            z.object({
              traceId: z.string().regex(/^[0-9a-f]{32}$/),
              spanId: z.string().regex(/^[0-9a-f]{16}$/),
              parentSpanId: z.string().optional(),
              name: z.string().min(1),
              kind: z.int().min(1).max(5),
              startTimeUnixNano: nanoseconds,
              endTimeUnixNano: nanoseconds,
              attributes: z.array(attributeSchema).optional(),
              status: z.object({ code: z.int().min(0).max(2).optional() }).optional(),
            }),
          ),
        }),
      ),
    }),
  ),
});

export interface CollectedSpan {
  service: string;
  trace: string;
  id: string;
  parent: string | undefined;
  name: string;
  attributes: Record<string, string | number | boolean>;
}

export class FakeCollector {
  readonly spans: CollectedSpan[] = [];
  /** What violated the specification. */
  readonly faults: string[] = [];
  readonly #server = createServer((request, response) => {
    void (async () => {
      const sent = await buffer(request);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
      const isRight =
        request.method === 'POST' &&
        request.url === '/v1/traces' &&
        request.headers['content-type'] === 'application/json';
      const parsed = requestSchema.safeParse(isRight ? JSON.parse(body.toString()) : undefined);
      if (parsed.success) this.#keep(parsed.data);
      else this.faults.push(`${request.method} ${request.url}: ${parsed.error.message}`);
      response.writeHead(parsed.success ? 200 : 400, { 'content-type': 'application/json' }).end('{}');
    })().catch((error: unknown) => this.faults.push(String(error)));
  });

  static async start(): Promise<FakeCollector> {
    const collector = new FakeCollector();
    collector.#server.listen(0, '127.0.0.1');
    await once(collector.#server, 'listening');
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #keep({ resourceSpans }: z.infer<typeof requestSchema>): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = String(valuesOf(resource.attributes)['service.name']);
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        const { traceId, spanId, parentSpanId, name, attributes = [] } = span;
        this.spans.push({
          service,
          trace: traceId,
          id: spanId,
          parent: parentSpanId || undefined,
          name,
          attributes: valuesOf(attributes),
        });
      }
    }
  }
}

function valuesOf(attributes: z.infer<typeof attributeSchema>[]): CollectedSpan['attributes'] {
  return Object.fromEntries(
    attributes.flatMap(({ key, value: { stringValue, intValue, doubleValue, boolValue } }) => {
      const value =
        stringValue ?? doubleValue ?? boolValue ?? (intValue === undefined ? undefined : Number(intValue));
      return value === undefined ? [] : [[key, value]];
    }),
  );
}
