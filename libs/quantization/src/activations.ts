/** What a tensor held while texts ran through the model: enough to choose how its numbers are rounded. */

/** Rows that are kept of a tensor, at most: what is clipped is judged by them. */
const MOST_SAMPLES = 512;

export class Activations {
  readonly width: number;
  readonly least: Float32Array;
  readonly most: Float32Array;
  readonly #sums: Float64Array;
  readonly #squares: Float64Array;
  #rows = 0;
  readonly #samples: Float32Array[] = [];
  /** Every so many rows one is a sample; doubled whenever there are too many. */
  #stride = 1;

  constructor(width: number) {
    this.width = width;
    this.least = new Float32Array(width).fill(Infinity);
    this.most = new Float32Array(width).fill(-Infinity);
    this.#sums = new Float64Array(width);
    this.#squares = new Float64Array(width);
  }

  /** Rows of the tensor, one behind the other. */
  add(rows: Float32Array): void {
    const { width, least, most } = this;
    for (let from = 0; from < rows.length; from += width) {
      for (let column = 0; column < width; column += 1) {
        const x = rows[from + column] ?? 0;
        if (x < (least[column] ?? 0)) least[column] = x;
        if (x > (most[column] ?? 0)) most[column] = x;
        this.#sums[column] = (this.#sums[column] ?? 0) + x;
        this.#squares[column] = (this.#squares[column] ?? 0) + x * x;
      }
      if (this.#rows % this.#stride === 0) this.#keep(rows.slice(from, from + width));
      this.#rows += 1;
    }
  }

  get rows(): number {
    return this.#rows;
  }

  get samples(): readonly Float32Array[] {
    return this.#samples;
  }

  means(): Float64Array {
    return this.#sums.map((sum) => sum / this.#rows);
  }

  meanSquares(): Float64Array {
    return this.#squares.map((sum) => sum / this.#rows);
  }

  #keep(row: Float32Array): void {
    this.#samples.push(row);
    if (this.#samples.length <= MOST_SAMPLES) return;
    this.#samples.splice(0, this.#samples.length, ...this.#samples.filter((_, n) => n % 2 === 0));
    this.#stride *= 2;
  }
}
