/** Half as many places again as one principal may have are kept for others. */
const FOR_OTHERS = 0.5;
/** How many times as many places as are free one principal may have. */
const PER_FREE = 2;
/** And these for those who run the server, beside all others. */
const FOR_OPERATORS = 4;

/**
 * Places that requests take while they last, shared by principals.
 *
 * Alone, a principal has `most`. The more places others have, the fewer it may take anew: no more than twice as many as
 * are free then. So one that came first and holds all it could get leaves room for the next, and those two for a third
 * (dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 1998).
 */
export class Places {
  readonly #most: number;
  readonly #all: number;
  readonly #taken = new Map<string, number>();
  #total = 0;

  constructor(most: number) {
    this.#most = most;
    this.#all = Math.ceil(most * (1 + FOR_OTHERS));
  }

  /** Takes a place; where there is none for this principal, says how many are taken. */
  take(principal: string, isOperator: boolean): { own: number; all: number } | undefined {
    const own = this.#taken.get(principal) ?? 0;
    const free = this.#all - this.#total;
    const mayTake = isOperator
      ? free > -FOR_OPERATORS
      : own < Math.min(this.#most, Math.ceil(PER_FREE * free));
    if (!mayTake) return { own, all: this.#total };
    this.#taken.set(principal, own + 1);
    this.#total += 1;
    return undefined;
  }

  takenBy(principal: string): number {
    return this.#taken.get(principal) ?? 0;
  }

  giveBack(principal: string): void {
    const left = (this.#taken.get(principal) ?? 1) - 1;
    if (left === 0) this.#taken.delete(principal);
    else this.#taken.set(principal, left);
    this.#total -= 1;
  }
}
