/** The state of a round between two turns, as JSON. */
export interface RoundState {
  /** The flows in visiting order. */
  order: string[];
  /** The index in `order` of the flow being visited, and whether it has received its quantum for this visit. */
  at: number;
  visited: boolean;
  /** What each flow may still send, in the unit of its sizes; negative if it sent more than that. */
  deficits: Record<string, number>;
}

export const NO_ROUND: RoundState = { order: [], at: 0, visited: false, deficits: {} };

/** The properties of the flows during a round. */
export interface Flows {
  /** The size of the flow's next piece; undefined while it has nothing to send. */
  sizeOf(flow: string): number | undefined;
  /** Above 0. Of two flows that always have work, one with twice the weight sends twice as much. */
  weightOf(flow: string): number;
}

/**
 * Deficit round robin (Shreedhar and Varghese, "Efficient Fair Queueing using Deficit Round Robin", SIGCOMM 1995):
 * flows take turns, each visit adds the flow's quantum to its deficit, and a flow sends while its next piece fits into
 * the deficit. So flows share by size and weight, whatever the sizes of their pieces. Rounds in which nobody could send
 * are skipped in one step, so a quantum may be much smaller than a piece, and small pieces hardly wait.
 *
 * A flow without work keeps its place and deficit, but gains nothing; one that leaves loses both.
 */
export class RoundRobin {
  readonly #quantum: number;
  readonly #order: string[];
  readonly #deficits: Map<string, number>;
  #at: number;
  #visited: boolean;

  constructor(quantum: number, { order, at, visited, deficits }: RoundState = NO_ROUND) {
    this.#quantum = quantum;
    this.#order = [...order];
    this.#deficits = new Map(Object.entries(deficits));
    this.#at = at;
    this.#visited = visited;
  }

  get state(): RoundState {
    const deficits = Object.fromEntries(
      [...this.#deficits].map(([flow, deficit]) => [flow, Math.round(deficit * 1000) / 1000]),
    );
    return { order: [...this.#order], at: this.#at, visited: this.#visited, deficits };
  }

  has(flow: string): boolean {
    return this.#deficits.has(flow);
  }

  get flows(): readonly string[] {
    return this.#order;
  }

  /** A new flow comes last in the current round. */
  join(flow: string): void {
    if (this.#deficits.has(flow)) return;
    this.#deficits.set(flow, 0);
    // The flow being visited now was the first of the round.
    this.#order.splice(this.#at, 0, flow);
    if (this.#order.length > 1) this.#at = (this.#at + 1) % this.#order.length;
  }

  leave(flow: string): void {
    const place = this.#order.indexOf(flow);
    if (place < 0) return;
    this.#order.splice(place, 1);
    this.#deficits.delete(flow);
    if (place === this.#at) this.#visited = false;
    if (place < this.#at) this.#at -= 1;
    if (this.#at >= this.#order.length) this.#at = 0;
  }

  /** The flow whose turn it is; undefined if nobody has work. Repeated calls return the same flow. */
  peek(flows: Flows): string | undefined {
    const [at, visited] = [this.#at, this.#visited];
    const next = this.#visitAll(flows) ?? (this.#passOver(flows) ? this.#visitAll(flows) : undefined);
    if (next === undefined) [this.#at, this.#visited] = [at, visited];
    return next;
  }

  /** Records what a flow has sent; a negative size is a refund. */
  charge(flow: string, size: number): void {
    const deficit = this.#deficits.get(flow);
    if (deficit !== undefined) this.#deficits.set(flow, deficit - size);
  }

  /** Goes round once, from the flow being visited. */
  #visitAll(flows: Flows): string | undefined {
    for (let visits = 0; visits <= this.#order.length; visits += 1) {
      const flow = this.#order[this.#at];
      if (flow === undefined) return undefined;
      const size = flows.sizeOf(flow);
      if (size !== undefined) {
        if (!this.#visited) this.charge(flow, -this.#quantumOf(flow, flows));
        this.#visited = true;
        if (size <= this.#deficitOf(flow)) return flow;
      }
      this.#at = (this.#at + 1) % this.#order.length;
      this.#visited = false;
    }
    return undefined;
  }

  /** Gives every flow the quanta of all rounds except the last one before somebody can send. */
  #passOver(flows: Flows): boolean {
    let rounds = Infinity;
    const waiting: string[] = [];
    for (const flow of this.#order) {
      const size = flows.sizeOf(flow);
      if (size === undefined) continue;
      waiting.push(flow);
      rounds = Math.min(rounds, Math.ceil((size - this.#deficitOf(flow)) / this.#quantumOf(flow, flows)) - 1);
    }
    for (const flow of waiting) {
      this.charge(flow, -Math.max(0, rounds) * this.#quantumOf(flow, flows));
    }
    return waiting.length > 0;
  }

  #quantumOf(flow: string, flows: Flows): number {
    return this.#quantum * flows.weightOf(flow);
  }

  #deficitOf(flow: string): number {
    return this.#deficits.get(flow) ?? 0;
  }
}
