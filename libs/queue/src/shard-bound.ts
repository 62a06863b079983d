/**
 * How many shards may be on a model's queue: few, so that jobs take turns and Redis stays small, but so many that
 * workers do not find it empty between two looks of the dispatcher.
 *
 * Each job may have `perJob` outstanding in any case. Beyond that a job adds while fewer shards of all jobs wait than
 * the lead: it doubles with each look that finds none waiting, and shrinks with each that finds more than half of it.
 * So it comes to twice to four times what workers take between two looks, however many they are. All jobs share the
 * lead, else one that began earlier would keep a newer one small.
 *
 * One for each queue and dispatcher, asked with each look at one of its jobs that has shards left.
 */
export class ShardBound {
  readonly #perJob: number;
  readonly #most: number;
  #lead = 0;
  /** Whether the last look at a job had more to add than is added at once: the lead is not to blame then. */
  #isCut = false;

  /** No job has more than `most` outstanding, and no dispatcher adds while as many wait; with `most` = `perJob` the bound is fixed. */
  constructor({ perJob, most }: { perJob: number; most: number }) {
    this.#perJob = perJob;
    this.#most = Math.max(perJob, most);
  }

  /**
   * How many shards a job may add that has `outstanding` ones, while `waiting` ones of all jobs are unclaimed. With
   * `ADDED_AT_ONCE` there may be more: the next look should be soon.
   */
  room({ outstanding, waiting }: { outstanding: number; waiting: number }): number {
    if (waiting === 0 && !this.#isCut)
      this.#lead = Math.min(this.#most, Math.max(this.#perJob, 2 * this.#lead));
    else if (waiting > this.#lead / 2) this.#lead *= SHRINKING;
    const wanted = Math.max(this.#perJob - outstanding, Math.floor(this.#lead) - waiting);
    const room = Math.max(0, Math.min(wanted, this.#most - outstanding));
    this.#isCut = room > ADDED_AT_ONCE;
    return Math.min(room, ADDED_AT_ONCE);
  }
}

/** So many are added before the dispatcher looks again, and saves how far it is. */
export const ADDED_AT_ONCE = 256;
/** Slow beside doubling: a lead that is too long costs little, one that is too short idle workers. */
const SHRINKING = 0.98;
