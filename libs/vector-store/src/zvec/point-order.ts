import type { PointId } from '@embedmill/jobs';

/** The ids of a collection's points, in order, as they were when a scan began; its pages are cut from it. */
export class PointOrder {
  readonly #ids: readonly PointId[];

  constructor(ids: PointId[]) {
    this.#ids = ids.sort();
  }

  /** Up to so many ids after this one; from the first where none is given. */
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
