import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { backlogOfModel } from '@embedmill/queue';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../http/problem.ts';

const tags = ['operations'];
const count = (description: string) => z.int().nonnegative().meta({ description });
const work = {
  tokens: count(
    'Pending tokens, estimated from bytes: of all unfinished jobs, dispatched or not, and of waiting queries. While the queue is paused, only of the queries. Scale workers by this number.',
  ),
  documents: count('Documents of scanned jobs that are not settled yet.'),
  shards: count('Shards of scanned jobs that are not settled yet.'),
};
const backlogSchema = z
  .strictObject({
    ...work,
    paused: z.boolean(),
    models: z.array(z.strictObject({ model: z.string(), ...work })),
  })
  .meta({ id: 'Backlog' });
const pausedSchema = z.strictObject({ paused: z.boolean() });

/** The queue's backlog, and whether it is being processed or paused. */
export function queueRoutes({ queue }: ApiParts): FastifyPluginAsyncZod {
  return async (server) => {
    server.get(
      '/backlog',
      {
        config: { access: 'metrics' },
        schema: {
          tags,
          summary: 'Get the backlog for autoscaling; every replica returns the same',
          querystring: z.strictObject({ model: z.string().min(1).optional() }),
          response: { 200: backlogSchema, ...problemResponses },
        },
      },
      async ({ query: { model } }) => {
        const backlog = await queue.backlog();
        return model === undefined ? backlog : backlogOfModel(backlog, model);
      },
    );

    server.post(
      '/queue/pause',
      {
        config: { access: 'admin' },
        schema: {
          tags,
          summary:
            'Pause all bulk work until it is resumed; workers finish the shards that they are processing',
          response: { 200: pausedSchema, ...problemResponses },
        },
      },
      async () => {
        await queue.pause();
        return { paused: true };
      },
    );

    server.post(
      '/queue/resume',
      {
        config: { access: 'admin' },
        schema: {
          tags,
          summary: 'Resume bulk work',
          response: { 200: pausedSchema, ...problemResponses },
        },
      },
      async () => {
        await queue.resume();
        return { paused: false };
      },
    );
  };
}
