import { randomUUID } from 'node:crypto';
import { deserialize } from 'node:v8';
import type { Redis } from 'ioredis';
import {
  EmbedmillError,
  type ErrorCode,
  type Query,
  type QueryOf,
  type QueryResult,
  type QueryTask,
} from '@embedmill/jobs';
import { BullQueues } from './bull-queues.ts';
import { openConnection, queueUnavailable, within } from './connection.ts';
import { queryQueue } from './names.ts';

/** A query on its way to a worker: answered on `replyTo`, worthless after `deadline` (epoch milliseconds). */
export interface QueryMessage {
  id: string;
  replyTo: string;
  deadline: number;
  query: Query;
}

/** A worker's answer, published once and stored nowhere. */
export type QueryReply = { id: string } & (
  { ok: true; result: QueryResult } | { ok: false; code: ErrorCode; message: string }
);

/**
 * Asks workers through the interactive lane and waits for their answers on a channel of its own.
 *
 * A question is a BullMQ job, so that it is not lost with the worker that took it; an answer is a message,
 * because vectors that are read once need not be stored. Each question is settled once: by its answer, or by
 * `no_worker` at its deadline.
 */
export class QueryClient {
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #channel: string;
  readonly #queues: BullQueues;
  readonly #waiting = new Map<string, (reply: QueryReply) => void>();

  private constructor(redis: Redis, subscriber: Redis, prefix: string) {
    this.#redis = redis;
    this.#subscriber = subscriber;
    this.#queues = new BullQueues(redis, prefix);
    this.#channel = `${prefix}:replies:${randomUUID()}`;
    subscriber.on('messageBuffer', (_channel: Buffer, message: Buffer) => {
      const reply = deserialize(message) as QueryReply;
      this.#waiting.get(reply.id)?.(reply);
    });
  }

  static async open(redisUrl: string, prefix: string): Promise<QueryClient> {
    const client = new QueryClient(openConnection(redisUrl), openConnection(redisUrl), prefix);
    try {
      await client.#subscriber.subscribe(client.#channel);
      return client;
    } catch (error) {
      await client.close();
      throw queueUnavailable(error);
    }
  }

  async ask<Task extends QueryTask>(query: QueryOf<Task>, timeoutMs: number): Promise<QueryResult<Task>> {
    const id = randomUUID();
    const answered = new Promise<QueryReply>((resolve) => this.#waiting.set(id, resolve));
    try {
      const message: QueryMessage = { id, replyTo: this.#channel, deadline: Date.now() + timeoutMs, query };
      const added = this.#queues.get<QueryMessage>(queryQueue(query.model)).add('query', message, {
        jobId: id,
        removeOnComplete: true,
        removeOnFail: true,
      });
      await within(added, timeoutMs).catch((error: unknown) => {
        throw queueUnavailable(error);
      });
      const reply = await within(answered, timeoutMs).catch((error: unknown) => {
        const message = `no worker that serves ${query.model} answered within ${timeoutMs} ms; is one running?`;
        throw new EmbedmillError('no_worker', message, { cause: error, retryAfter: 5 });
      });
      if (!reply.ok) throw new EmbedmillError(reply.code, reply.message);
      // A worker answers a task with that task's result.
      return reply.result as QueryResult<Task>;
    } finally {
      this.#waiting.delete(id);
    }
  }

  async close(): Promise<void> {
    await this.#queues.close();
    this.#subscriber.disconnect();
    this.#redis.disconnect();
  }
}
