/**
 * How numbers are rounded to small integers. Activations become u8, with one step and one zero point per tensor, chosen
 * in advance: how a text is rounded does not depend on the others in its batch. Weights become s8, with one step per
 * column.
 */
import type { Activations } from './activations.ts';

/**
 * The largest magnitude of a weight. The sum of two products with a u8 then fits into 16 bits, which AVX2 without VNNI
 * requires.
 */
export const LARGEST_WEIGHT = 63;
const LARGEST_LOOKED_UP = 127;
const LARGEST_ACTIVATION = 255;

/** A matrix, [inputs, outputs]. */
export interface Matrix {
  inputs: number;
  outputs: number;
  numbers: Float32Array;
}

export interface RoundedMatrix {
  numbers: Int8Array;
  /** The step of a column's (or a row's) integers. */
  steps: Float32Array;
}

/** Real number = step × (integer − zero point). */
export interface Rounding {
  step: number;
  zeroPoint: number;
}

/** How a tensor and the matrices it is multiplied by are rounded together. */
export interface Fit {
  /**
   * SmoothQuant's scales: each column of the tensor is divided, and each row of the matrices multiplied, by its scale.
   */
  divisors: Float32Array;
  rounding: Rounding;
  matrices: RoundedMatrix[];
  /** The mean squared error of the products, as if all errors were independent. */
  error: number;
}

/** The share of a column's outliers that moves to the weights: SmoothQuant's alpha. */
const SHARES = [0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
/** The parts of a tensor's range to try; values beyond are clipped. */
const KEPT = [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4];

/** The best combination of share and range, by the error of the products. */
export function fit(activations: Activations, matrices: readonly Matrix[]): Fit {
  const largest = matrices.map(largestByRow);
  const fits = SHARES.map((share) => {
    const divisors = divisorsOf(activations, largest, share);
    return fitWith(divisors, activations, matrices);
  });
  return fits.reduce((best, one) => (one.error < best.error ? one : best));
}

/** SmoothQuant (Xiao et al., ICML 2023): a column's largest ^ share ÷ its weights' largest ^ (1 − share). */
function divisorsOf(
  { width, least, most }: Activations,
  largestByRow: readonly Float32Array[],
  share: number,
): Float32Array {
  if (share === 0) return new Float32Array(width).fill(1);
  const divisors = Float32Array.from({ length: width }, (_, row) => {
    const activation = Math.max(Math.abs(at(least, row)), Math.abs(at(most, row)));
    const weight = largestByRow.reduce((largest, rows) => Math.max(largest, at(rows, row)), 0);
    const divisor = activation ** share / weight ** (1 - share);
    return Number.isFinite(divisor) ? divisor : 0;
  });
  // A column whose values or weights are all 0 does not matter.
  const usual = median(divisors.filter((divisor) => divisor > 0));
  return divisors.map((divisor) => (divisor > 0 ? divisor / usual : 1));
}

function fitWith(divisors: Float32Array, activations: Activations, matrices: readonly Matrix[]): Fit {
  const squares = activations.meanSquares().map((square, row) => square / at(divisors, row) ** 2);
  const importance = new Float64Array(activations.width);
  let error = 0;
  const rounded = matrices.map((matrix) => {
    const multiplied = multipliedRows(matrix, divisors);
    const one = roundColumns(multiplied);
    error += errorOfWeights(multiplied, one, { squares, importance });
    return one;
  });
  const best = bestRounding(activations, divisors, importance);
  return { divisors, rounding: best.rounding, matrices: rounded, error: error + best.error };
}

function bestRounding(
  { least, most, samples }: Activations,
  divisors: Float32Array,
  importance: Float64Array,
): { rounding: Rounding; error: number } {
  const low = least.reduce((low, x, column) => Math.min(low, x / at(divisors, column)), 0);
  const high = most.reduce((high, x, column) => Math.max(high, x / at(divisors, column)), 0);
  const tried = KEPT.map((part) => {
    const rounding = roundingOf(low * part, high * part);
    return { rounding, error: errorOfSamples(samples, divisors, importance, rounding) };
  });
  return tried.reduce((best, one) => (one.error < best.error ? one : best));
}

/** 256 steps from `low` (≤ 0) to `high` (≥ 0), one of them exactly 0. */
export function roundingOf(low: number, high: number): Rounding {
  const step = Math.fround((high - low) / LARGEST_ACTIVATION) || 1;
  return { step, zeroPoint: clamp(Math.round(-low / step), 0, LARGEST_ACTIVATION) };
}

/** The number's value after rounding. */
export function rounded(x: number, { step, zeroPoint }: Rounding): number {
  return (clamp(halfToEven(x / step) + zeroPoint, 0, LARGEST_ACTIVATION) - zeroPoint) * step;
}

function errorOfSamples(
  samples: readonly Float32Array[],
  divisors: Float32Array,
  importance: Float64Array,
  rounding: Rounding,
): number {
  let sum = 0;
  for (const row of samples) {
    for (let column = 0; column < row.length; column += 1) {
      const x = at(row, column) / at(divisors, column);
      sum += (x - rounded(x, rounding)) ** 2 * at(importance, column);
    }
  }
  return sum / Math.max(1, samples.length);
}

/** Rounds each column to multiples of its step, from −63 to 63. */
export function roundColumns({ inputs, outputs, numbers }: Matrix): RoundedMatrix {
  const steps = new Float32Array(outputs);
  eachWeight(inputs, outputs, (n, _, column) => {
    steps[column] = Math.max(at(steps, column), Math.abs(at(numbers, n)));
  });
  for (let column = 0; column < outputs; column += 1) steps[column] = at(steps, column) / LARGEST_WEIGHT || 1;
  const whole = new Int8Array(inputs * outputs);
  eachWeight(inputs, outputs, (n, _, column) => {
    whole[n] = clamp(Math.round(at(numbers, n) / at(steps, column)), -LARGEST_WEIGHT, LARGEST_WEIGHT);
  });
  return { numbers: whole, steps };
}

/** Rounds each row to multiples of its step, from −127 to 127: looked-up rows are not multiplied by anything. */
export function roundRows(numbers: Float32Array, width: number): RoundedMatrix {
  const whole = new Int8Array(numbers.length);
  const steps = new Float32Array(numbers.length / width);
  for (let row = 0; row < steps.length; row += 1) {
    const own = numbers.subarray(row * width, (row + 1) * width);
    const step =
      Math.fround(own.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0) / LARGEST_LOOKED_UP) || 1;
    steps[row] = step;
    for (let column = 0; column < width; column += 1)
      whole[row * width + column] = clamp(
        Math.round(at(own, column) / step),
        -LARGEST_LOOKED_UP,
        LARGEST_LOOKED_UP,
      );
  }
  return { numbers: whole, steps };
}

/** Corrects a layer's bias by the mean error of rounding its products. */
export function correctBias(
  bias: Float32Array,
  { matrix, rounded, sampled }: { matrix: Matrix; rounded: RoundedMatrix; sampled: SampledMeans },
): void {
  eachWeight(matrix.inputs, matrix.outputs, (n, row, column) => {
    const whole = at(rounded.numbers, n) * at(rounded.steps, column);
    const missing = at(matrix.numbers, n) * at(sampled.exact, row) - whole * at(sampled.rounded, row);
    bias[column] = at(bias, column) + missing;
  });
}

/** For each column of a tensor: its mean, and the mean of its rounded values. */
export interface SampledMeans {
  exact: Float64Array;
  rounded: Float64Array;
}

export function sampledMeans(
  { samples, width }: Activations,
  { divisors, rounding }: Pick<Fit, 'divisors' | 'rounding'>,
): SampledMeans {
  const exact = new Float64Array(width);
  const after = new Float64Array(width);
  for (const row of samples) {
    for (let column = 0; column < width; column += 1) {
      exact[column] = at(exact, column) + at(row, column) / samples.length;
      const x = rounded(at(row, column) / at(divisors, column), rounding);
      after[column] = at(after, column) + x / samples.length;
    }
  }
  return { exact, rounded: after };
}

/** Adds the sum of squares of each row of weights to `importance`. */
function errorOfWeights(
  { inputs, outputs, numbers }: Matrix,
  rounded: RoundedMatrix,
  { squares, importance }: { squares: Float64Array; importance: Float64Array },
): number {
  let sum = 0;
  eachWeight(inputs, outputs, (n, row, column) => {
    const weight = at(numbers, n);
    importance[row] = at(importance, row) + weight * weight;
    const wrong = weight - at(rounded.numbers, n) * at(rounded.steps, column);
    sum += wrong * wrong * at(squares, row);
  });
  return sum;
}

function multipliedRows({ inputs, outputs, numbers }: Matrix, factors: Float32Array): Matrix {
  const multiplied = new Float32Array(numbers.length);
  eachWeight(inputs, outputs, (n, row) => {
    multiplied[n] = at(numbers, n) * at(factors, row);
  });
  return { inputs, outputs, numbers: multiplied };
}

function largestByRow({ inputs, outputs, numbers }: Matrix): Float32Array {
  const largest = new Float32Array(inputs);
  eachWeight(inputs, outputs, (n, row) => {
    largest[row] = Math.max(at(largest, row), Math.abs(at(numbers, n)));
  });
  return largest;
}

function eachWeight(
  inputs: number,
  outputs: number,
  visit: (n: number, row: number, column: number) => void,
): void {
  let n = 0;
  for (let row = 0; row < inputs; row += 1) {
    for (let column = 0; column < outputs; column += 1, n += 1) visit(n, row, column);
  }
}

function at(numbers: Float32Array | Float64Array | Int8Array, n: number): number {
  return numbers[n] ?? 0;
}

/** Rounds like ONNX's QuantizeLinear. */
function halfToEven(x: number): number {
  const near = Math.round(x);
  return near - x === 0.5 && near % 2 !== 0 ? near - 1 : near;
}

function median(numbers: Float32Array): number {
  return numbers.toSorted()[Math.floor(numbers.length / 2)] ?? 1;
}

function clamp(x: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, x));
}
