import { Queue as BullQueue } from 'bullmq';
import type { Redis } from 'ioredis';

/** BullMQ's queues by name, on one connection; made when first asked for, closed together. */
export class BullQueues {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #queues = new Map<string, BullQueue>();

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  /** The caller knows what this queue's jobs carry. */
  get<Data>(name: string): BullQueue<Data> {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = new BullQueue(name, { connection: this.#redis, prefix: this.#prefix });
      queue.on('error', () => {
        // Each call reports its own failure; without a listener BullMQ prints every lost connection.
      });
      this.#queues.set(name, queue);
    }
    return queue as BullQueue<Data>;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#queues.values()].map((queue) => queue.close()));
  }
}
