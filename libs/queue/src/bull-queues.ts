import type { Queue as BullQueue } from 'bullmq';

/** States of jobs that nobody has claimed. While their queue is paused they are `waiting` on Redis, and `paused`, which BullMQ's types leave out, on PostgreSQL. */
export const UNCLAIMED = ['waiting', 'paused' as 'waiting'] as const;

/** BullMQ's queues by name, on one connection; created on first use, closed together. */
export class BullQueues {
  readonly #make: (name: string) => BullQueue;
  readonly #queues = new Map<string, BullQueue>();

  constructor(make: (name: string) => BullQueue) {
    this.#make = make;
  }

  /** The caller knows the data of this queue's jobs. */
  get<Data>(name: string): BullQueue<Data> {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = this.#make(name);
      queue.on('error', () => {
        // Each call reports its own failure; without a listener, BullMQ prints every lost connection.
      });
      this.#queues.set(name, queue);
    }
    return queue as BullQueue<Data>;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#queues.values()].map((queue) => queue.close()));
  }
}
