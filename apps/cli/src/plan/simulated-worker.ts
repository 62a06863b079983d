import type { SimulatedClock } from './simulated-clock.ts';

export interface WorkerSetting {
  shardsInHand: number;
  /** Seconds that a shard takes on the device. */
  deviceSeconds: (shard: number) => number;
  /** Seconds that the worker holds a shard after the device is done with it. */
  besideSeconds: number;
  /** Called when a shard is done and there is room for another. `isHeld`: the worker held its lock to the end. */
  onDone: (shard: number, isHeld: boolean) => void;
}

interface Claim {
  readonly shard: number;
  isHeld: boolean;
  /** Undefined while it waits for the device. */
  step: { at: number; then: () => void } | undefined;
}

/**
 * A worker with one device. Its shards take turns on the device in the order in which they were claimed, and each then
 * takes some time without it. The worker may die, which loses all it has in hand, and be restarted; or stand still for
 * a while.
 */
export class SimulatedWorker {
  readonly #clock: SimulatedClock;
  readonly #setting: WorkerSetting;
  #claims = new Set<Claim>();
  /** Claims that wait for the device. */
  #line: Claim[] = [];
  #deviceSince: number | undefined;
  #busySeconds = 0;
  /** Steps that were planned in an earlier life, before it died or stood still, are void. */
  #life = 0;
  #isAlive = true;

  constructor(clock: SimulatedClock, setting: WorkerSetting) {
    this.#clock = clock;
    this.#setting = setting;
  }

  get hasRoom(): boolean {
    return this.#isAlive && this.#claims.size < this.#setting.shardsInHand;
  }

  /** Seconds that the device has been busy so far. */
  get busySeconds(): number {
    return this.#busySeconds + (this.#deviceSince === undefined ? 0 : this.#clock.now - this.#deviceSince);
  }

  claim(shard: number): void {
    const claim: Claim = { shard, isHeld: true, step: undefined };
    this.#claims.add(claim);
    this.#line.push(claim);
    this.#runDevice();
  }

  /** Dies. Returns the shards it held, which become free when their locks expire. */
  die(): number[] {
    const held = this.#heldShards();
    this.#life += 1;
    this.#isAlive = false;
    this.#busySeconds = this.busySeconds;
    this.#deviceSince = undefined;
    this.#claims = new Set();
    this.#line = [];
    return held;
  }

  /** Restarts, with nothing in hand. */
  revive(): void {
    this.#isAlive = true;
  }

  /** Stands still. If it `losesLocks`, other workers get the shards it held; these are returned. */
  freeze(seconds: number, losesLocks: boolean): number[] {
    this.#life += 1;
    for (const claim of this.#claims) {
      if (claim.step !== undefined)
        this.#plan(claim, claim.step.at + seconds - this.#clock.now, claim.step.then);
    }
    if (!losesLocks) return [];
    const held = this.#heldShards();
    for (const claim of this.#claims) claim.isHeld = false;
    return held;
  }

  #heldShards(): number[] {
    return [...this.#claims].filter(({ isHeld }) => isHeld).map(({ shard }) => shard);
  }

  #runDevice(): void {
    if (this.#deviceSince !== undefined) return;
    const claim = this.#line.shift();
    if (claim === undefined) return;
    const { deviceSeconds, besideSeconds, onDone } = this.#setting;
    this.#deviceSince = this.#clock.now;
    this.#plan(claim, deviceSeconds(claim.shard), () => {
      this.#busySeconds = this.busySeconds;
      this.#deviceSince = undefined;
      this.#plan(claim, besideSeconds, () => {
        this.#claims.delete(claim);
        onDone(claim.shard, claim.isHeld);
      });
      this.#runDevice();
    });
  }

  #plan(claim: Claim, seconds: number, then: () => void): void {
    const life = this.#life;
    claim.step = { at: this.#clock.now + seconds, then };
    this.#clock.after(seconds, () => {
      if (life === this.#life) then();
    });
  }
}
