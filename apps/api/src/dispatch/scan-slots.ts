/**
 * Bounds concurrent scans: a scan occupies a core for a time that grows with its source, so only a few run at once.
 * Waiting scans are admitted round-robin over shares, and in order of arrival within a share. Small sources have their
 * own slots and never wait for a large one.
 *
 * One for each dispatcher.
 */
export class ScanSlots {
  readonly #large: Turnstile;
  readonly #small: Turnstile;

  /** This many slots for sources of any size, and as many for small ones. */
  constructor(slots: number) {
    this.#large = new Turnstile(slots);
    this.#small = new Turnstile(slots);
  }

  /** Runs `scan` when its turn comes. Rejects with the signal's reason if that comes first. */
  async run<T>(
    { share, isSmall }: { share: string; isSmall: boolean },
    signal: AbortSignal,
    scan: () => Promise<T>,
  ): Promise<T> {
    const turnstile = isSmall ? this.#small : this.#large;
    await turnstile.enter(share, signal);
    try {
      return await scan();
    } finally {
      turnstile.leave();
    }
  }
}

class Turnstile {
  #free: number;
  /** Waiting scans by share; the share whose turn is next comes first. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(slots: number) {
    this.#free = slots;
  }

  async enter(share: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(share) ?? new Set();
    this.#waiting.set(share, waiting.add(resolve));
    const giveUp = (): void => {
      waiting.delete(resolve);
      if (waiting.size === 0 && this.#waiting.get(share) === waiting) this.#waiting.delete(share);
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    await promise.finally(() => signal.removeEventListener('abort', giveUp));
  }

  leave(): void {
    for (const [share, waiting] of this.#waiting) {
      this.#waiting.delete(share);
      const [next] = waiting;
      if (next === undefined) continue;
      waiting.delete(next);
      if (waiting.size > 0) this.#waiting.set(share, waiting);
      return next();
    }
    this.#free += 1;
  }
}
