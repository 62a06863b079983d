/**
 * A simulation's time and its future actions, earliest first; actions of the same moment run in any order. It is a
 * binary heap, because there are tens of millions of them.
 */
export class SimulatedClock {
  /** Seconds since the start. */
  now = 0;
  #times = new Float64Array(1024);
  readonly #actions: (() => void)[] = [];

  /** Runs the action after this many seconds; never, if they are infinite. */
  after(seconds: number, action: () => void): void {
    if (seconds === Infinity) return;
    const time = this.now + seconds;
    let at = this.#actions.length;
    if (at === this.#times.length) this.#grow();
    this.#actions.push(action);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (this.#timeAt(above) <= time) break;
      this.#move(above, at);
      at = above;
    }
    this.#times[at] = time;
    this.#actions[at] = action;
  }

  /** Advances to the next action; false if there is none. */
  step(): boolean {
    const [action] = this.#actions;
    const moved = this.#actions.pop();
    if (action === undefined || moved === undefined) return false;
    this.now = this.#timeAt(0);
    const last = this.#actions.length;
    if (last > 0) this.#sink(this.#timeAt(last), moved, last);
    action();
    return true;
  }

  #sink(time: number, action: () => void, size: number): void {
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= size) break;
      if (below + 1 < size && this.#timeAt(below + 1) < this.#timeAt(below)) below += 1;
      if (this.#timeAt(below) >= time) break;
      this.#move(below, at);
      at = below;
    }
    this.#times[at] = time;
    this.#actions[at] = action;
  }

  #timeAt(at: number): number {
    return this.#times[at] ?? Infinity;
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#timeAt(from);
    const action = this.#actions[from];
    if (action !== undefined) this.#actions[to] = action;
  }

  #grow(): void {
    const larger = new Float64Array(this.#times.length * 2);
    larger.set(this.#times);
    this.#times = larger;
  }
}
