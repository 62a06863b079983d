/** Full requests that were taken, after which a larger one is tried. */
const GROW_AFTER = 64;

/**
 * How many items an upstream takes in one request: what it states, or what its refusals teach.
 *
 * Invariants: `items` is at least 1, at most `most`, and at least as many as were ever taken at once. A refusal
 * may be about one text, too; so it lowers `items` only below what was never taken, and by half at most, and after
 * 64 full requests twice as many are tried again. Used by the remote engine, one object an upstream.
 */
export class RequestSize {
  readonly #most: number;
  #items: number;
  #taken: number;
  #fullOnes = 0;

  /** `isStated`: the upstream says so itself; else it is what the API allows, and this one may take fewer. */
  constructor(most: number, isStated: boolean) {
    this.#most = most;
    this.#items = most;
    this.#taken = isStated ? most : 1;
  }

  get items(): number {
    return this.#items;
  }

  noteTaken(items: number): void {
    this.#taken = Math.max(this.#taken, items);
    this.#items = Math.max(this.#items, this.#taken);
    // Batches are cut evenly, so a request may be smaller than it could be.
    if (items * 2 <= this.#items) return;
    this.#fullOnes += 1;
    if (this.#fullOnes < GROW_AFTER) return;
    this.#fullOnes = 0;
    this.#items = Math.min(this.#most, this.#items * 2);
  }

  /** Whether the request may have been refused for its size, so that its halves are worth sending. */
  noteRefused(items: number, status: number | undefined): boolean {
    if (items === 1) return false;
    if (items > this.#taken) {
      this.#fullOnes = 0;
      this.#items = Math.min(this.#items, Math.max(this.#taken, Math.floor(items / 2)));
      return true;
    }
    // As many were taken before, but their texts may have been shorter: 413 is about bytes, too.
    return status === 413;
  }
}
