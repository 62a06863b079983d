import type { Job as BullJob, Queue as BullQueue } from 'bullmq';
import { z } from 'zod';
import {
  EmbedmillError,
  parseKept,
  webhookEventSchema,
  webhookSchema,
  type Job,
  type JobId,
  type WebhookDelivery,
  type WebhookEvent,
} from '@embedmill/jobs';
import type { Broker } from './broker.ts';
import { queueUnavailable, within, type QueueOptions } from './connection.ts';
import { openBroker } from './open-broker.ts';

/** A message. Its id consists of the job's and the event's, so that adding it twice sends it once. */
export const webhookMessageSchema = z.strictObject({
  id: z.string(),
  type: webhookEventSchema,
  /** The time of the event. */
  timestamp: z.iso.datetime(),
  to: webhookSchema.pick({ url: true, secret: true }),
  /** The job at that time, passed on with all fields, whichever release wrote it. */
  job: z.custom<Job>(isJob),
});
export type WebhookMessage = z.infer<typeof webhookMessageSchema>;

function isJob(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'id' in value;
}

const WEBHOOK_QUEUE = 'webhooks';
/** The pauses between attempts in seconds: a receiver that is unavailable for a day misses nothing. */
const PAUSES = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200];
/** How long the outcomes of messages are kept. */
const KEPT = { age: 14 * 24 * 3600, count: 10_000 };
const DEADLINE_MS = 5000;

/** The receiver: the one that the job's submission names, or the server's operator. */
export type Audience = 'submitter' | 'operator';

function messageId(job: JobId, type: WebhookEvent, audience: Audience): string {
  const id = `${job}-${type.slice('job.'.length)}`;
  return audience === 'submitter' ? id : `${id}-${audience}`;
}

/**
 * Messages about jobs, which the broker keeps until they are delivered. Any API process may deliver any message; if one
 * dies while doing so, another delivers it with the same id.
 */
export class WebhookQueue {
  readonly #broker: Broker;
  readonly #queue: BullQueue<WebhookMessage>;

  private constructor(broker: Broker) {
    this.#broker = broker;
    this.#queue = broker.queues.get(WEBHOOK_QUEUE);
  }

  static async open(options: QueueOptions): Promise<WebhookQueue> {
    return new WebhookQueue(await openBroker(options));
  }

  /** Sends a message, unless it was sent to this audience before. Errors: `queue_unavailable`. */
  async send(type: WebhookEvent, job: Job, to: WebhookMessage['to'], audience: Audience): Promise<void> {
    const id = messageId(job.id as JobId, type, audience);
    const message: WebhookMessage = { id, type, timestamp: new Date().toISOString(), to, job };
    await this.#call(
      this.#queue.add('webhook', message, {
        jobId: id,
        attempts: PAUSES.length + 1,
        backoff: { type: 'custom' },
        removeOnComplete: KEPT,
        removeOnFail: KEPT,
        stackTraceLimit: 1,
      }),
    );
  }

  /** The outcomes of the messages to a job's submitter, as far as known. Errors: `queue_unavailable`. */
  async deliveries(job: JobId): Promise<WebhookDelivery[]> {
    const types = ['job.failures', 'job.completed', 'job.failed', 'job.cancelled'] as const;
    const found = await Promise.all(types.map((type) => this.#deliveryOf(messageId(job, type, 'submitter'))));
    return found.filter((delivery) => delivery !== undefined);
  }

  async close(): Promise<void> {
    await this.#broker.close();
  }

  async #deliveryOf(id: string): Promise<WebhookDelivery | undefined> {
    // Reads the state first, so that the message's data is at least as new, such as why it failed.
    const state = await this.#call(this.#queue.getJobState(id));
    const message: BullJob<WebhookMessage> | undefined = await this.#call(this.#queue.getJob(id));
    if (message === undefined) return undefined;
    const { data, attemptsMade, failedReason, timestamp, delay } = message;
    const isDelayed = state === 'delayed';
    return {
      id: data.id,
      type: data.type,
      url: data.to.url,
      state: state === 'completed' ? 'delivered' : state === 'failed' ? 'failed' : 'waiting',
      tries: attemptsMade,
      lastError: state === 'completed' ? null : (failedReason ?? null),
      nextTryAt: isDelayed ? new Date(Math.max(Date.now(), timestamp) + delay).toISOString() : null,
    };
  }

  async #call<T>(promise: Promise<T>): Promise<T> {
    return within(promise, DEADLINE_MS).catch((error: unknown) => {
      throw queueUnavailable(error);
    });
  }
}

export interface WebhookConsumer {
  close(): Promise<void>;
}

/**
 * Delivers messages. If `deliver` throws, the message is retried after a growing pause; an `EmbedmillError` that is not
 * retryable ends it.
 *
 * @param pauses seconds before the second try, the third, …; tests make them short
 */
export async function consumeWebhooks(
  options: QueueOptions,
  deliver: (message: WebhookMessage, signal: AbortSignal) => Promise<void>,
  { onError, pauses = PAUSES }: { onError: (error: Error) => void; pauses?: readonly number[] },
): Promise<WebhookConsumer> {
  const broker = await openBroker(options);
  const { UnrecoverableError } = await import('bullmq');
  const stop = new AbortController();
  const worker = broker.worker<WebhookMessage, void>(
    WEBHOOK_QUEUE,
    async ({ data }) => {
      try {
        await deliver(parseKept(webhookMessageSchema, data), stop.signal);
      } catch (thrown) {
        const isFinal = thrown instanceof EmbedmillError && !thrown.retryable;
        if (isFinal) throw new UnrecoverableError(thrown.message);
        throw thrown;
      }
    },
    {
      concurrency: 4,
      maxStalledCount: 1_000_000,
      settings: {
        backoffStrategy: (tries: number) =>
          (pauses[Math.min(tries, pauses.length) - 1] ?? 0) * 1000 * (0.75 + Math.random() / 2),
      },
    },
  );
  worker.on('error', onError);
  return {
    async close() {
      stop.abort(new Error('the API is stopping'));
      await worker.close();
      await broker.close();
    },
  };
}
