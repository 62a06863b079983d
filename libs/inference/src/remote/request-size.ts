/** The number of full requests accepted before a larger one is tried. */
const GROW_AFTER = 64;

/**
 * How many items an upstream accepts in one request, as it states or as learned from its refusals.
 *
 * Invariants: `items` is at least 1, at most `most`, and at least as many as were ever accepted at once. A refusal may
 * also be due to one text, so it lowers `items` by half at most and never below a number that was accepted; after 64
 * full requests, twice as many are tried again. Used by the remote engine, one object per upstream.
 */
export class RequestSize {
  readonly #most: number;
  #items: number;
  #taken: number;
  #fullOnes = 0;

  /** `isStated`: the upstream states it; otherwise it is the API's limit, and this upstream may accept fewer. */
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
    // Batches are split evenly, so a request may be smaller than the limit.
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
    // As many were accepted before, but with shorter texts perhaps: 413 may also be about bytes.
    return status === 413;
  }
}
