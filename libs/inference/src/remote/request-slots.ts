/**
 * Bounds the concurrent requests of all batches.
 *
 * Invariants: at most `size` requests run, plus one if an urgent one is waiting; urgent ones go before all others, each
 * kind in order of arrival. Used by the remote engine, one object per upstream.
 */
export class RequestSlots {
  readonly #size: number;
  readonly #urgent: (() => void)[] = [];
  readonly #others: (() => void)[] = [];
  #taken = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** Runs the action when its turn comes. Rejects with the signal's reason if it aborts first. */
  async use<T>(urgent: boolean, signal: AbortSignal, action: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const queue = urgent ? this.#urgent : this.#others;
    await new Promise<void>((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        queue.splice(queue.indexOf(enter), 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      queue.push(enter);
      this.#admit();
    });
    try {
      return await action();
    } finally {
      this.#taken -= 1;
      this.#admit();
    }
  }

  #admit(): void {
    for (;;) {
      const waiting = this.#urgent.length > 0 ? this.#urgent : this.#others;
      const room = this.#size + (waiting === this.#urgent ? 1 : 0);
      if (waiting.length === 0 || this.#taken >= room) return;
      this.#taken += 1;
      waiting.shift()?.();
    }
  }
}
