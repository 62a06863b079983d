import { span, type Place } from './view.ts';

/** Average number of points per cell. */
const PER_CELL = 8;
/** The most cells along the longer side: if all points are in few places, cells would otherwise be too small. */
const MOST_CELLS = 400;

/** A grid index of points, so that the nearest one is found without looking at all of them. */
export class PointGrid {
  readonly #xs: readonly number[];
  readonly #ys: readonly number[];
  readonly #columns: Axis;
  readonly #rows: Axis;
  readonly #cells = new Map<number, number[]>();

  constructor(xs: readonly number[], ys: readonly number[]) {
    this.#xs = xs;
    this.#ys = ys;
    const [left, right] = span(xs);
    const [bottom, top] = span(ys);
    const width = right - left;
    const height = top - bottom;
    const even = Math.sqrt((width * height * PER_CELL) / Math.max(1, xs.length));
    const cell = Math.max(even, Math.max(width, height) / MOST_CELLS) || 1;
    this.#columns = new Axis(left, right, cell);
    this.#rows = new Axis(bottom, top, cell);
    for (const [n, x] of xs.entries()) {
      const key = this.#keyOf(this.#columns.cellOf(x), this.#rows.cellOf(ys[n] ?? 0));
      const points = this.#cells.get(key);
      if (points === undefined) this.#cells.set(key, [n]);
      else points.push(n);
    }
  }

  /** The point nearest to a place and at most `within` away. */
  nearest({ x, y }: Place, within: number): number | undefined {
    let best: number | undefined;
    let least = within;
    const lastColumn = this.#columns.cellOf(x + within);
    const lastRow = this.#rows.cellOf(y + within);
    for (let column = this.#columns.cellOf(x - within); column <= lastColumn; column += 1) {
      for (let row = this.#rows.cellOf(y - within); row <= lastRow; row += 1) {
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

  /** The points inside a closed line. */
  inside(line: readonly Place[]): number[] {
    if (line.length < 3) return [];
    return this.#xs.flatMap((x, n) => (isInside({ x, y: this.#ys[n] ?? 0 }, line) ? [n] : []));
  }

  #keyOf(column: number, row: number): number {
    return column * (this.#rows.count + 1) + row;
  }
}

/** One dimension of the grid, in cells; coordinates beyond either end belong to the cell at that end. */
class Axis {
  readonly #from: number;
  readonly #cell: number;
  readonly count: number;

  constructor(from: number, to: number, cell: number) {
    this.#from = from;
    this.#cell = cell;
    this.count = Math.floor((to - from) / cell) + 1;
  }

  cellOf(at: number): number {
    return Math.min(this.count - 1, Math.max(0, Math.floor((at - this.#from) / this.#cell)));
  }
}

/** Even-odd rule: counts how often a ray to the right crosses the line. */
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
