import { EmbedmillError } from '@embedmill/jobs';

/**
 * Checks whether a worker with work makes progress: claims a shard, runs a batch, settles a shard or returns it.
 *
 * idle → working → late → stuck. Time counts since the last progress while there is work, and only as observed: a
 * process that was suspended for an hour has not been working for an hour. `late` is for /healthz, so that a supervisor
 * restarts the worker in an orderly way; `stuck` is for the worker itself, which then ends.
 */
export interface WatchdogOptions {
  /** The time without progress after which it is stuck. */
  limitMs: number;
  /** How often `look` is called. */
  lookMs: number;
  /** A clock that does not jump, in milliseconds. */
  now: () => number;
}

/** The share of the limit after which a worker is late. */
const LATE = 0.8;

export class Watchdog {
  readonly #options: WatchdogOptions;
  #inHand = 0;
  #waitedMs = 0;
  #lookedAt: number;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#lookedAt = options.now();
  }

  /** Claimed shards that were not settled or returned yet. */
  get inHand(): number {
    return this.#inHand;
  }

  progressed(): void {
    this.#waitedMs = 0;
  }

  /** Processes a claimed shard. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#inHand += 1;
    this.progressed();
    try {
      return await work();
    } finally {
      this.#inHand -= 1;
      this.progressed();
    }
  }

  /** Observes the time. `waiting`: shards that this worker could claim. */
  look(waiting: number): 'idle' | 'working' | 'late' | 'stuck' {
    const { limitMs, lookMs, now } = this.#options;
    const at = now();
    const passedMs = Math.min(at - this.#lookedAt, 2 * lookMs);
    this.#lookedAt = at;
    if (this.#inHand === 0 && waiting === 0) {
      this.progressed();
      return 'idle';
    }
    this.#waitedMs += passedMs;
    if (this.#waitedMs >= limitMs) return 'stuck';
    return this.#waitedMs >= LATE * limitMs ? 'late' : 'working';
  }

  /** Throws the problem once the worker is late. */
  assertMoving(): void {
    if (this.#waitedMs < LATE * this.#options.limitMs) return;
    const seconds = Math.round(this.#waitedMs / 1000);
    throw new EmbedmillError('internal', `no progress for ${seconds} s with ${this.#inHand} shards in hand`);
  }
}
