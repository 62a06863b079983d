/** Statistics of a tensor's values while texts ran through the model: enough to choose its quantization. */

/** The maximum number of rows kept of a tensor, by which clipping is judged. */
const MOST_SAMPLES = 512;

export class Activations {
  readonly width: number;
  readonly least: Float32Array;
  readonly most: Float32Array;
  readonly #sums: Float64Array;
  readonly #squares: Float64Array;
  #rows = 0;
  readonly #samples: Float32Array[] = [];
  /** The sampling interval in rows; doubled whenever there are too many samples. */
  #stride = 1;

  constructor(width: number) {
    this.width = width;
    this.least = new Float32Array(width).fill(Infinity);
    this.most = new Float32Array(width).fill(-Infinity);
    this.#sums = new Float64Array(width);
    this.#squares = new Float64Array(width);
  }

  /** Rows of the tensor, concatenated. */
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
