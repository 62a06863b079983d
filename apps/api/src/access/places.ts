/** The reserve for others: half as many places as one principal may have. */
const FOR_OTHERS = 0.5;
/** The most places of one principal, as a multiple of the free ones. */
const PER_FREE = 2;
/** The reserve for operators, in addition to all others. */
const FOR_OPERATORS = 4;

/**
 * Places that requests occupy while they last, shared by principals.
 *
 * Alone, a principal may have `most`. The more places others have, the fewer new ones it may take: at most twice as many as
 * are free. So the first principal, however many places it holds, leaves room for the next, and these two for a third
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

  /** Takes a place; if there is none for this principal, returns how many are taken. */
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
