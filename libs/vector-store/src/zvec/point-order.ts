import type { PointId } from '@embedmill/jobs';

/** The ordered ids of a collection's points at the start of a scan, from which its pages are taken. */
export class PointOrder {
  readonly #ids: readonly PointId[];

  constructor(ids: PointId[]) {
    this.#ids = ids.sort();
  }

  /** Up to this many ids after the given one, or from the first. */
  after(id: PointId | undefined, count: number): readonly PointId[] {
    const from = id === undefined ? 0 : this.#placeAfter(id);
    return this.#ids.slice(from, from + count);
  }

  #placeAfter(id: PointId): number {
    let low = 0;
    let high = this.#ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ids[middle] ?? '') <= id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
