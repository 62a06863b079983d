import { clientGone } from './request-life.ts';

/**
 * Bounds concurrent work with a fair share for each principal: waiting work is admitted round-robin over principals,
 * however much each has requested. Alone, a principal may have all places except one, which is reserved for others.
 *
 * Invariants: at most `places` run; nobody waits while a place is free for them; work of a disconnected client is not
 * started.
 */
export class FairTurns {
  readonly #places: number;
  /** Running work by principal. */
  readonly #running = new Map<string, number>();
  /** Waiting work by principal, in the order of their turns. */
  readonly #waiting = new Map<string, Set<() => void>>();
  #total = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /** Runs the work when its turn comes and returns its result. Errors: `client_gone` if the client disconnected before. */
  async run<T>(principal: string, signal: AbortSignal | undefined, work: () => Promise<T> | T): Promise<T> {
    await this.#turn(principal, signal);
    try {
      return await work();
    } finally {
      this.#leave(principal);
    }
  }

  async #turn(principal: string, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) throw clientGone();
    if (!this.#waiting.has(principal) && this.#hasPlaceFor(principal)) return this.#enter(principal);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(principal) ?? new Set();
    this.#waiting.set(principal, waiting.add(resolve));
    const leave = (): void => {
      // Admitted work has left the line and finds out by itself.
      if (!waiting.delete(resolve)) return;
      if (waiting.size === 0) this.#waiting.delete(principal);
      reject(clientGone());
    };
    signal?.addEventListener('abort', leave, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }

  #hasPlaceFor(principal: string): boolean {
    const kept = this.#places > 1 && this.#running.has(principal) ? 1 : 0;
    return this.#total < this.#places - kept;
  }

  #enter(principal: string): void {
    this.#total += 1;
    this.#running.set(principal, (this.#running.get(principal) ?? 0) + 1);
  }

  #leave(principal: string): void {
    this.#total -= 1;
    const left = (this.#running.get(principal) ?? 1) - 1;
    if (left === 0) this.#running.delete(principal);
    else this.#running.set(principal, left);
    this.#letIn();
  }

  #letIn(): void {
    for (const [principal, waiting] of [...this.#waiting]) {
      if (!this.#hasPlaceFor(principal)) continue;
      const [next] = waiting;
      if (next === undefined) continue;
      waiting.delete(next);
      this.#waiting.delete(principal);
      // To the end of the line.
      if (waiting.size > 0) this.#waiting.set(principal, waiting);
      this.#enter(principal);
      next();
      return this.#letIn();
    }
  }
}
