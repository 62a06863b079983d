/**
 * What ends the one command that this process runs before it is done: Ctrl-C, SIGTERM, a hangup, that what started
 * it is gone, or that nobody reads its result.
 *
 * The first aborts `signal`; the command then winds up. A second Ctrl-C calls what `onForce` was given, by
 * default leaving at once. One Ctrl-C can arrive several times, from the terminal, from npm and from
 * bin/embedmill.js, so those within half a second of the first count as one. A hangup is for what is on a terminal:
 * with neither input nor output there, it was put aside to go on, as nohup does it.
 */
import { isatty } from 'node:tty';
import { EXIT } from '../exit.ts';
import { findStarter, watchStarter } from './starter.ts';

const ONE_KEYSTROKE_MS = 500;

export type Cause = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'starter gone' | 'reader gone';

export class Interruption {
  /** What came first, once something has. */
  by: Cause | undefined;
  /** What is gone, where that is why. */
  starter: string | undefined;
  readonly #onTerminal: boolean;
  readonly #controller = new AbortController();
  #at = 0;
  #force: () => void = () => process.exit(EXIT.interrupted);
  #unwatch: () => void = () => {};

  constructor(onTerminal: boolean = [0, 1, 2].some((stream) => isatty(stream))) {
    this.#onTerminal = onTerminal;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What a second Ctrl-C does, while the command is winding up. */
  onForce(force: () => void): void {
    this.#force = force;
  }

  listen(): this {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => this.receive(name));
    const starter = findStarter();
    if (starter !== undefined) {
      this.#unwatch = watchStarter(starter, () => {
        this.starter = starter.name;
        this.receive('starter gone');
      });
    }
    return this;
  }

  receive(cause: Cause, now = performance.now()): void {
    if (cause === 'SIGHUP' && !this.#onTerminal) {
      // The hangup ends npm, too, which this process is then to outlive.
      this.#unwatch();
    } else if (this.by === undefined) {
      this.by = cause;
      this.#at = now;
      this.#controller.abort(new Error(`interrupted by ${cause}`));
    } else if (cause === 'SIGINT' && now - this.#at > ONE_KEYSTROKE_MS) {
      this.#force();
    }
  }
}

/** Resolves when the signal aborts. */
export function untilInterrupted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
