/**
 * Keeps the processes of `up` running.
 *
 * starting → running → stopping → stopped. Parts are started one after the other, each once the one before is
 * ready, and stopped the other way round. While running, a part that ends is started again after a pause that
 * doubles, up to half a minute; one that cannot be started several times in a row, with nothing in its way, makes the
 * supervisor give up.
 * Invariant: once `stop` or `kill` resolved, no process that this supervisor started is left.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export type PartName = 'redis' | 'store' | 'api' | 'worker';

/** A process that is up and ready. */
export interface RunningPart {
  pid: number;
  /** Where it serves, when it said so. */
  url: string | undefined;
  /** Resolves once it has ended, with how: "exit code 1". */
  ended: Promise<string>;
  /** Asks it to end, and makes it after `graceMs`. Resolves when it has. */
  stop(graceMs: number): Promise<void>;
}

export interface Part {
  name: PartName;
  /** How long it may take to wind up. */
  graceMs: number;
  /** Resolves when it is ready. Rejects when it ends before that, or is late; nothing of it is left then. */
  start(signal: AbortSignal): Promise<RunningPart>;
  /** Why it cannot be started now for no fault of its own, such as a full disk: it is tried on and on then. */
  hindrance?(): Promise<string | undefined>;
}

export type SupervisorEvent =
  | { kind: 'starting' | 'ready' | 'stopping'; part: PartName }
  | { kind: 'ended'; part: PartName; how: string; againInMs: number }
  | { kind: 'failed'; part: PartName; error: Error; againInMs: number };

export interface Backoff {
  firstMs: number;
  mostMs: number;
  /** A part that ran this long has proven itself: the next pause is the first again. */
  provenMs: number;
  /** Failed starts in a row before giving up. */
  attempts: number;
}

const BACKOFF: Backoff = { firstMs: 500, mostMs: 30_000, provenMs: 60_000, attempts: 6 };

export class Supervisor {
  /** Resolves, with why, when a part cannot be started again. The caller stops the rest. */
  readonly gaveUp: Promise<Error>;

  readonly #parts: readonly Part[];
  readonly #tell: (event: SupervisorEvent) => void;
  readonly #backoff: Backoff;
  readonly #running = new Map<PartName, RunningPart>();
  readonly #stopping = new Set<PartName>();
  readonly #winding = new AbortController();
  readonly #giveUp: (why: Error) => void;
  #keepers: Promise<void>[] = [];

  constructor(
    parts: readonly Part[],
    tell: (event: SupervisorEvent) => void,
    backoff: Partial<Backoff> = {},
  ) {
    this.#parts = parts;
    this.#tell = tell;
    this.#backoff = { ...BACKOFF, ...backoff };
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.gaveUp = promise;
    this.#giveUp = resolve;
  }

  running(name: PartName): RunningPart | undefined {
    return this.#running.get(name);
  }

  /** Starts every part. When one cannot be started, the ones before it are stopped, and this rejects with why. */
  async start(): Promise<void> {
    for (const part of this.#parts) {
      try {
        await this.#startPart(part);
      } catch (error) {
        await this.stop();
        throw error;
      }
    }
    this.#keepers = this.#parts.map((part) => this.#keep(part));
  }

  /** Stops every part, the last first; each gets its grace. */
  stop(): Promise<void> {
    return this.#wind((part) => part.graceMs);
  }

  /** Stops every part without grace. Also while `stop` is waiting. */
  kill(): Promise<void> {
    return this.#wind(() => 0);
  }

  async #wind(grace: (part: Part) => number): Promise<void> {
    this.#winding.abort();
    for (const part of this.#parts.toReversed()) {
      const running = this.#running.get(part.name);
      if (running === undefined) continue;
      // `stop`, then `kill`: told once.
      if (!this.#stopping.has(part.name)) this.#tell({ kind: 'stopping', part: part.name });
      this.#stopping.add(part.name);
      await running.stop(grace(part));
      this.#running.delete(part.name);
    }
    await Promise.all(this.#keepers);
  }

  async #startPart(part: Part): Promise<RunningPart> {
    this.#tell({ kind: 'starting', part: part.name });
    const running = await part.start(this.#winding.signal);
    if (this.#winding.signal.aborted) {
      await running.stop(part.graceMs);
      throw new Error(`${part.name} was stopped while it started`);
    }
    this.#running.set(part.name, running);
    this.#tell({ kind: 'ready', part: part.name });
    return running;
  }

  /** Starts the part again whenever it ends, until the supervisor winds up. */
  async #keep(part: Part): Promise<void> {
    const { firstMs, mostMs, provenMs, attempts } = this.#backoff;
    let pauseMs = firstMs;
    for (;;) {
      const running = this.#running.get(part.name);
      if (running === undefined) return;
      const readyAt = performance.now();
      const how = await running.ended;
      if (this.#winding.signal.aborted) return;
      this.#running.delete(part.name);
      if (performance.now() - readyAt > provenMs) pauseMs = firstMs;
      this.#tell({ kind: 'ended', part: part.name, how, againInMs: pauseMs });
      for (let attempt = 1; ; attempt++) {
        if (!(await this.#pause(pauseMs))) return;
        pauseMs = Math.min(pauseMs * 2, mostMs);
        try {
          await this.#startPart(part);
          break;
        } catch (thrown) {
          if (this.#winding.signal.aborted) return;
          const error = thrown instanceof Error ? thrown : new Error(String(thrown));
          const hindrance = await part.hindrance?.();
          if (hindrance !== undefined) attempt = 0;
          if (attempt >= attempts) {
            this.#giveUp(error);
            return;
          }
          this.#tell({ kind: 'failed', part: part.name, error, againInMs: pauseMs });
        }
      }
    }
  }

  /** Whether the pause passed without the supervisor winding up. */
  async #pause(milliseconds: number): Promise<boolean> {
    return sleep(milliseconds, true, { signal: this.#winding.signal }).catch(() => false);
  }
}
