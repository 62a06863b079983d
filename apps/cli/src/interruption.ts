/**
 * Ctrl-C, SIGTERM and SIGHUP, for the one command that this process runs.
 *
 * The first aborts `signal`; the command then winds up. A second Ctrl-C calls what `onForce` was given, by
 * default leaving at once. One Ctrl-C can arrive several times, from the terminal, from npm and from
 * bin/embedmill.js, so those within half a second of the first count as one.
 */
import { EXIT } from './exit.ts';

const ONE_KEYSTROKE_MS = 500;

export class Interruption {
  /** Which signal came first, once one has. */
  by: 'SIGINT' | 'SIGTERM' | 'SIGHUP' | undefined;
  readonly #controller = new AbortController();
  #at = 0;
  #force: () => void = () => process.exit(EXIT.interrupted);

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What a second Ctrl-C does, while the command is winding up. */
  onForce(force: () => void): void {
    this.#force = force;
  }

  listen(): this {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => this.receive(name));
    return this;
  }

  receive(name: 'SIGINT' | 'SIGTERM' | 'SIGHUP', now = performance.now()): void {
    if (this.by === undefined) {
      this.by = name;
      this.#at = now;
      this.#controller.abort(new Error(`interrupted by ${name}`));
    } else if (name === 'SIGINT' && now - this.#at > ONE_KEYSTROKE_MS) {
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
