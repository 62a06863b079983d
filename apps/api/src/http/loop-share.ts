import { currentShare } from '../access/principal.ts';
import { assertClientWaits } from './request-life.ts';

/** How long one request's work may have the event loop before others get it. */
const STRETCH_MS = 15;

/**
 * Shares the event loop with other requests: work over many hits calls `step` after each, and once its time slice is
 * used up, waits for its next turn. Only one slice runs between two polls of sockets and timers, so other requests wait
 * for one slice in total, however many requests have long work. Principals take turns, then the requests of each. One
 * LoopShare per piece of work. Errors: `client_gone` if the client has disconnected.
 */
export class LoopShare {
  readonly #share = currentShare();
  #since = performance.now();

  async step(): Promise<void> {
    if (performance.now() - this.#since < STRETCH_MS) return;
    await nextStretch(this.#share);
    assertClientWaits();
    this.#since = performance.now();
  }
}

/** Work that waits for a time slice, by principal, in the order of their turns. */
const waiting = new Map<string, (() => void)[]>();
let isScheduled = false;

function nextStretch(share: string): Promise<void> {
  return new Promise((resolve) => {
    const own = waiting.get(share);
    if (own === undefined) waiting.set(share, [resolve]);
    else own.push(resolve);
    schedule();
  });
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  // A slice requested in a turn of immediates runs in the next one, after sockets and timers.
  setImmediate(() => {
    isScheduled = false;
    const [first] = waiting;
    if (first === undefined) return;
    const [share, own] = first;
    const next = own.shift();
    // To the end of the line.
    waiting.delete(share);
    if (own.length > 0) waiting.set(share, own);
    next?.();
    if (waiting.size > 0) schedule();
  });
}
