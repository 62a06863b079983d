import { Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { EmbedmillError, type Job, type JobId } from '@embedmill/jobs';
import type { JobEvent, JobWatch } from '../jobs/job-watch.ts';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../http/problem.ts';
import { jobView } from './jobs.ts';

export interface EventOptions {
  /** How often a comment is sent, so that no proxy closes the connection as idle. */
  heartbeatMs: number;
}

/** A job's progress as server-sent events. */
export function eventRoutes(
  { queue }: ApiParts,
  watch: JobWatch,
  { heartbeatMs }: EventOptions,
): FastifyPluginAsyncZod {
  return async (server) => {
    server.get(
      '/jobs/:id/events',
      {
        config: { access: 'submit', slot: 'stream' },
        schema: {
          tags: ['jobs'],
          summary: 'Stream a job’s progress until it ends',
          params: z.object({ id: z.string() }),
          response: {
            200: {
              description:
                'Sends a `progress` event on each change, and an `end` event once the job has finished; the data of each event is the job.',
              content: { 'text/event-stream': { schema: jobView } },
            },
            ...problemResponses,
          },
        },
      },
      async (request, reply) => {
        const id = request.params.id as JobId;
        if ((await queue.getJob(id)) === undefined) {
          throw new EmbedmillError('job_not_found', `there is no job ${id}`);
        }
        reply.headers({
          'content-type': 'text/event-stream; charset=utf-8',
          'cache-control': 'no-cache',
          connection: 'close',
          'x-accel-buffering': 'no',
        });
        return reply.send(eventStream(id, watch, heartbeatMs) as never);
      },
    );
  };
}

/**
 * One client's events. A client that reads slowly misses intermediate states but never the last one. It stops listening
 * when the job ends or the client disconnects.
 */
function eventStream(id: JobId, watch: JobWatch, heartbeatMs: number): Readable {
  let stopListening = (): void => {};
  const stream = new Readable({
    read() {},
    destroy(error, done) {
      clearInterval(heartbeat);
      stopListening();
      done(error);
    },
  });
  const heartbeat = setInterval(() => {
    if (hasRoom(stream)) stream.push(': still here\n\n');
  }, heartbeatMs).unref();
  stopListening = watch.listen(id, (event: JobEvent) => {
    if (event.kind === 'end') {
      if (event.job !== undefined) stream.push(eventText('end', event.job));
      stream.push(null);
    } else if (hasRoom(stream)) {
      stream.push(eventText('progress', event.job));
    }
  });
  return stream;
}

function hasRoom(stream: Readable): boolean {
  return stream.readableLength < stream.readableHighWaterMark;
}

/** Caches the text of each job's latest state, which is the same for all its watchers. */
const texts = new WeakMap<Job, string>();

function eventText(event: 'progress' | 'end', job: Job): string {
  const data = texts.get(job) ?? JSON.stringify(job);
  texts.set(job, data);
  return `event: ${event}\ndata: ${data}\n\n`;
}
