import type { Place } from './view.ts';

/** Points a cell, on average. */
const PER_CELL = 8;

/** Points by where they are, so that the nearest one is found without looking at all. */
export class PointGrid {
  readonly #xs: readonly number[];
  readonly #ys: readonly number[];
  readonly #left: number;
  readonly #bottom: number;
  readonly #cell: number;
  readonly #cells = new Map<string, number[]>();

  constructor(xs: readonly number[], ys: readonly number[]) {
    this.#xs = xs;
    this.#ys = ys;
    let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const [n, x] of xs.entries()) {
      const y = ys[n] ?? 0;
      left = Math.min(left, x);
      right = Math.max(right, x);
      bottom = Math.min(bottom, y);
      top = Math.max(top, y);
    }
    this.#left = left;
    this.#bottom = bottom;
    const area = Math.max(1e-9, (right - left) * (top - bottom));
    this.#cell = xs.length === 0 ? 1 : Math.sqrt((area * PER_CELL) / xs.length) || 1;
    for (const [n, x] of xs.entries()) {
      const key = this.#keyOf(this.#column(x), this.#row(ys[n] ?? 0));
      const cell = this.#cells.get(key);
      if (cell === undefined) this.#cells.set(key, [n]);
      else cell.push(n);
    }
  }

  /** The point that is nearest to a place, and no further than `within`. */
  nearest({ x, y }: Place, within: number): number | undefined {
    let best: number | undefined;
    let least = within;
    for (let column = this.#column(x - within); column <= this.#column(x + within); column += 1) {
      for (let row = this.#row(y - within); row <= this.#row(y + within); row += 1) {
        for (const n of this.#cells.get(this.#keyOf(column, row)) ?? []) {
          const distance = Math.hypot((this.#xs[n] ?? 0) - x, (this.#ys[n] ?? 0) - y);
          if (distance <= least) {
            least = distance;
            best = n;
          }
        }
      }
    }
    return best;
  }

  /** The points inside of a line that is drawn around them. */
  inside(line: readonly Place[]): number[] {
    if (line.length < 3) return [];
    return this.#xs.flatMap((x, n) => (isInside({ x, y: this.#ys[n] ?? 0 }, line) ? [n] : []));
  }

  #column = (x: number): number => Math.floor((x - this.#left) / this.#cell);
  #row = (y: number): number => Math.floor((y - this.#bottom) / this.#cell);
  #keyOf = (column: number, row: number): string => `${column} ${row}`;
}

/** By how often a ray to the right crosses the line. */
function isInside({ x, y }: Place, line: readonly Place[]): boolean {
  let inside = false;
  let before = line.at(-1);
  for (const place of line) {
    if (before !== undefined && place.y > y !== before.y > y) {
      const crossing = ((before.x - place.x) * (y - place.y)) / (before.y - place.y) + place.x;
      if (x < crossing) inside = !inside;
    }
    before = place;
  }
  return inside;
}
