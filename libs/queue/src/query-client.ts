import { randomUUID } from 'node:crypto';
import { deserialize } from 'node:v8';
import {
  EmbedmillError,
  type ErrorCode,
  type ErrorDetail,
  type Query,
  type QueryOf,
  type QueryResult,
  type QueryTask,
} from '@embedmill/jobs';
import type { Broker } from './broker.ts';
import { queueUnavailable, within, type QueueOptions } from './connection.ts';
import { queryQueue } from './names.ts';
import { openBroker } from './open-broker.ts';

/** A query on its way to a worker: answered on `replyTo`, worthless after `deadline` (epoch milliseconds). */
export interface QueryMessage {
  id: string;
  replyTo: string;
  deadline: number;
  query: Query;
}

/** A worker's answer, published once and stored nowhere. */
export type QueryReply = { id: string } & (
  { ok: true; result: QueryResult } | { ok: false; code: ErrorCode; message: string; details: ErrorDetail[] }
);

interface AskOptions {
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  givenUp?: Promise<never> | undefined;
}

/**
 * Sends queries to workers through the interactive lane, and waits for their answers on its own channel.
 *
 * A query is a BullMQ job, so that it is not lost with the worker that took it. An answer is a message, because vectors
 * that are read once need not be stored. Each query is settled exactly once: by its answer, or by `no_worker` at its
 * deadline.
 */
export class QueryClient {
  readonly #broker: Broker;
  readonly #channel = `replies:${randomUUID()}`;
  readonly #waiting = new Map<string, (reply: QueryReply) => void>();

  private constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** On its own connection, so that queries do not wait behind the process's other calls. */
  static async open(options: QueueOptions): Promise<QueryClient> {
    const client = new QueryClient(await openBroker(options));
    try {
      await client.#broker.subscribe(client.#channel, (message) => {
        const reply = deserialize(message) as QueryReply;
        client.#waiting.get(reply.id)?.(reply);
      });
      return client;
    } catch (error) {
      await client.close();
      throw queueUnavailable(error);
    }
  }

  /**
   * An error's details have paths in the query: `inputs/3` is its fourth input. If `signal` aborts, the query is
   * withdrawn; if a worker has already taken it, the answer is awaited. If `givenUp` rejects, the query is withdrawn,
   * and this rejects at once with the same error.
   */
  async ask<Task extends QueryTask>(
    query: QueryOf<Task>,
    { timeoutMs, signal, givenUp }: AskOptions,
  ): Promise<QueryResult<Task>> {
    const id = randomUUID();
    const withdrawn = Promise.withResolvers<never>();
    const answered = new Promise<QueryReply>((resolve) => this.#waiting.set(id, resolve));
    const queue = this.#broker.queues.get<QueryMessage>(queryQueue(query.model));
    const withdraw = (): void => {
      queue.remove(id).then(
        (removed) => {
          if (removed === 1) withdrawn.reject(new EmbedmillError('client_gone', 'the query was withdrawn'));
        },
        // A worker has taken it, or the broker is unavailable: its deadline ends it.
        () => undefined,
      );
    };
    withdrawn.promise.catch(() => undefined);
    try {
      const message: QueryMessage = { id, replyTo: this.#channel, deadline: Date.now() + timeoutMs, query };
      const added = queue.add('query', message, {
        jobId: id,
        removeOnComplete: true,
        removeOnFail: true,
      });
      await within(added, timeoutMs).catch((error: unknown) => {
        throw queueUnavailable(error);
      });
      if (signal?.aborted === true) withdraw();
      else signal?.addEventListener('abort', withdraw, { once: true });
      const ends = givenUp === undefined ? [withdrawn.promise] : [withdrawn.promise, givenUp];
      givenUp?.catch(withdraw);
      const reply = await Promise.race([within(answered, timeoutMs), ...ends]).catch((error: unknown) => {
        if (error instanceof EmbedmillError) throw error;
        const message = `no worker that serves ${query.model} answered within ${timeoutMs} ms; is one running?`;
        throw new EmbedmillError('no_worker', message, { cause: error, retryAfter: 5 });
      });
      if (!reply.ok) throw new EmbedmillError(reply.code, reply.message, { details: reply.details });
      // The result has the type of its task.
      return reply.result as QueryResult<Task>;
    } finally {
      signal?.removeEventListener('abort', withdraw);
      this.#waiting.delete(id);
    }
  }

  async close(): Promise<void> {
    await this.#broker.close();
  }
}
