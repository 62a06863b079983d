/**
 * Keeps the processes of `up` running.
 *
 * starting → running → stopping → stopped. Parts are started one after the other, each once the one before is
 * ready, and stopped the other way round. While running, a part that ends is started again after a pause that
 * doubles, up to half a minute; one that cannot be started several times in a row, with nothing in its way, makes the
 * supervisor give up.
 * Invariant: once `stop` or `kill` has resolved, no process of this supervisor is left.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export type PartName = 'redis' | 'store' | 'api' | 'worker';

/** A process that is up and ready. */
export interface RunningPart {
  pid: number;
  /** The address that it serves, if it reported one. */
  url: string | undefined;
  /** Resolves once it has ended, with how: "exit code 1". */
  ended: Promise<string>;
  /** Asks it to end, and kills it after `graceMs`. Resolves when it has ended. */
  stop(graceMs: number): Promise<void>;
}

export interface Part {
  name: PartName;
  /** How long it may take to end. */
  graceMs: number;
  /** Resolves when it is ready. Rejects if it ends before that or is late; no process is left then. */
  start(signal: AbortSignal): Promise<RunningPart>;
  /** An external reason why it cannot be started now, such as a full disk; starts are then retried without limit. */
  hindrance?(): Promise<string | undefined>;
}

export type SupervisorEvent =
  | { kind: 'starting' | 'ready' | 'stopping'; part: PartName }
  | { kind: 'ended'; part: PartName; how: string; againInMs: number }
  | { kind: 'failed'; part: PartName; error: Error; againInMs: number };

export interface Backoff {
  firstMs: number;
  mostMs: number;
  /** A part that ran this long has proven itself: the next pause is `firstMs` again. */
  provenMs: number;
  /** Failed starts in a row before giving up. */
  attempts: number;
}

const BACKOFF: Backoff = { firstMs: 500, mostMs: 30_000, provenMs: 60_000, attempts: 6 };

export class Supervisor {
  /** Resolves with the reason when a part cannot be restarted. The caller stops the others. */
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

  /** Starts every part. If one cannot be started, stops those before it and rejects with the reason. */
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

  /** Stops every part in reverse order, each with its grace. */
  stop(): Promise<void> {
    return this.#wind((part) => part.graceMs);
  }

  /** Stops every part without grace, also while `stop` is waiting. */
  kill(): Promise<void> {
    return this.#wind(() => 0);
  }

  async #wind(grace: (part: Part) => number): Promise<void> {
    this.#winding.abort();
    for (const part of this.#parts.toReversed()) {
      const running = this.#running.get(part.name);
      if (running === undefined) continue;
      // Reported once, also if `kill` follows `stop`.
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
      throw new Error(`${part.name} was stopped during startup`);
    }
    this.#running.set(part.name, running);
    this.#tell({ kind: 'ready', part: part.name });
    return running;
  }

  /** Restarts the part whenever it ends, until the supervisor winds up or gives up. */
  async #keep(part: Part): Promise<void> {
    const { firstMs, provenMs } = this.#backoff;
    let pauseMs: number | undefined = firstMs;
    while (pauseMs !== undefined) {
      const running = this.#running.get(part.name);
      if (running === undefined) return;
      const readyAt = performance.now();
      const how = await running.ended;
      if (this.#winding.signal.aborted) return;
      this.#running.delete(part.name);
      if (performance.now() - readyAt > provenMs) pauseMs = firstMs;
      this.#tell({ kind: 'ended', part: part.name, how, againInMs: pauseMs });
      pauseMs = await this.#restart(part, pauseMs);
    }
  }

  /**
   * Tries to start the part until it runs, with a pause before each attempt. Resolves with the pause before the next
   * restart, or with undefined if the supervisor winds up or gives up.
   */
  async #restart(part: Part, firstPauseMs: number): Promise<number | undefined> {
    const { mostMs, attempts } = this.#backoff;
    let pauseMs = firstPauseMs;
    let failures = 0;
    while (await this.#pause(pauseMs)) {
      pauseMs = Math.min(pauseMs * 2, mostMs);
      const error = await this.#failureOf(part);
      if (error === undefined) return pauseMs;
      if (this.#winding.signal.aborted) return undefined;
      const isHindered = (await part.hindrance?.()) !== undefined;
      failures = isHindered ? 0 : failures + 1;
      if (failures >= attempts) {
        this.#giveUp(error);
        return undefined;
      }
      this.#tell({ kind: 'failed', part: part.name, error, againInMs: pauseMs });
    }
    return undefined;
  }

  /** Starts the part; resolves with why it could not be started, or with undefined if it runs. */
  async #failureOf(part: Part): Promise<Error | undefined> {
    try {
      await this.#startPart(part);
      return undefined;
    } catch (thrown) {
      return thrown instanceof Error ? thrown : new Error(String(thrown));
    }
  }

  /** Whether the pause passed without the supervisor winding up. */
  async #pause(milliseconds: number): Promise<boolean> {
    return sleep(milliseconds, true, { signal: this.#winding.signal }).catch(() => false);
  }
}
