import type { Log } from '@embedmill/logs';

const DELAY_MS = 1000;

/**
 * Writes accumulated data once a second, so that counting costs no call of its own. Writes run one after another; a failed
 * one is logged and lost, as is what a killed process has not written.
 */
export class DelayedWrite {
  readonly #write: () => Promise<void>;
  readonly #log: Pick<Log, 'warn'>;
  readonly #lost: string;
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  /** @param write takes the data to write before its first await; @param lost the log message if it fails */
  constructor(write: () => Promise<void>, log: Pick<Log, 'warn'>, lost: string) {
    this.#write = write;
    this.#log = log;
    this.#lost = lost;
  }

  /** Schedules a write within a second. */
  due(): void {
    this.#timer ??= setTimeout(() => void this.now(), DELAY_MS).unref();
  }

  /** Resolves once everything was written, or could not be. */
  now(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing
      .then(() => this.#write())
      .catch((error: unknown) => this.#log.warn({ err: error }, this.#lost));
    return this.#writing;
  }
}
