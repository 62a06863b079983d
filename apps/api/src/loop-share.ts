import { setImmediate } from 'node:timers/promises';
import { assertClientWaits } from './request-life.ts';

/** So long one request's work may have the event loop before others get it. */
const STRETCH_MS = 15;

/**
 * Shares the event loop with other requests: what goes through many hits asks after each, and goes on in a later turn
 * where it has had its stretch. One for each piece of work. Errors: `client_gone`, where nobody waits for it any more.
 */
export class LoopShare {
  #since = performance.now();

  async step(): Promise<void> {
    if (performance.now() - this.#since < STRETCH_MS) return;
    await setImmediate();
    assertClientWaits();
    this.#since = performance.now();
  }
}
