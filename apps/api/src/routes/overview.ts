import { Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { overviewOf } from '../overview/overview.ts';
import { overviewSchema, type Overview } from '../overview/overview-schema.ts';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../http/problem.ts';

const tags = ['operations'];
/** The slots that may have changed since the previous event: the one that was incomplete then, and all later ones. */
const CHANGED_SLOTS = 3;

/** Current activity for operators and tenants, as a snapshot and as a stream. */
export function overviewRoutes(
  parts: ApiParts,
  { overviewMs = 2000 }: { overviewMs?: number | undefined },
): FastifyPluginAsyncZod {
  const streams = new Set<Readable>();
  return async (server) => {
    server.addHook('preClose', async () => streams.forEach((stream) => stream.push(null)));

    server.get(
      '/overview',
      {
        config: { access: 'any' },
        schema: {
          tags,
          summary:
            'Get rates, backlog, workers, health and current problems; a tenant’s key sees only its own work',
          response: { 200: overviewSchema, ...problemResponses },
        },
      },
      async () => overviewOf(parts),
    );

    server.get(
      '/overview/events',
      {
        config: { access: 'any', slot: 'stream' },
        schema: {
          tags,
          summary: 'Stream the overview every few seconds',
          response: {
            200: {
              description:
                'Sends `overview` events with the response of `/api/v1/overview`. From the second event on, `rates.slots` has only the last slots.',
              content: { 'text/event-stream': { schema: z.string() } },
            },
            ...problemResponses,
          },
        },
      },
      async (_request, reply) => {
        const first = await overviewOf(parts);
        const stream = eventStream(first, () => overviewOf(parts), overviewMs);
        streams.add(stream);
        stream.once('close', () => streams.delete(stream));
        reply.headers({
          'content-type': 'text/event-stream; charset=utf-8',
          'cache-control': 'no-cache',
          connection: 'close',
          'x-accel-buffering': 'no',
        });
        return reply.send(stream as never);
      },
    );
  };
}

/** One client's events; a slow reader misses some. A failed snapshot is skipped, as the next one may succeed. */
function eventStream(first: Overview, look: () => Promise<Overview>, everyMs: number): Readable {
  let timer: NodeJS.Timeout | undefined;
  const stream = new Readable({
    read() {},
    destroy(error, done) {
      clearTimeout(timer);
      done(error);
    },
  });
  const isOver = (): boolean => stream.destroyed || stream.readableEnded;
  const next = async (): Promise<void> => {
    const found = await look().catch(() => undefined);
    if (isOver()) return;
    if (found === undefined) stream.push(': nothing can be seen now\n\n');
    else if (stream.readableLength < stream.readableHighWaterMark) stream.push(eventText(changed(found)));
    timer = setTimeout(() => void next(), everyMs).unref();
  };
  stream.push(eventText(first));
  timer = setTimeout(() => void next(), everyMs).unref();
  return stream;
}

function changed(overview: Overview): Overview {
  const { rates } = overview;
  return rates === null
    ? overview
    : { ...overview, rates: { ...rates, slots: rates.slots.slice(-CHANGED_SLOTS) } };
}

function eventText(overview: Overview): string {
  return `event: overview\ndata: ${JSON.stringify(overview)}\n\n`;
}
