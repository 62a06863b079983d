import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Activations } from './activations.ts';
import {
  correctBias,
  fit,
  LARGEST_WEIGHT,
  roundColumns,
  rounded,
  roundingOf,
  roundRows,
  sampledMeans,
  type Fit,
  type Matrix,
} from './rounding.ts';

/** No denormal numbers, for which half a step cannot be represented. */
const number = fc.integer({ min: -1_000_000, max: 1_000_000 }).map((n) => n / 1000);
const matrix = fc
  .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }))
  .chain(([inputs, outputs]) =>
    fc
      .array(number, { minLength: inputs * outputs, maxLength: inputs * outputs })
      .map((numbers): Matrix => ({ inputs, outputs, numbers: Float32Array.from(numbers) })),
  );

test('a weight is off by half a step of its column at most, and stays within 7 bits', () => {
  fc.assert(
    fc.property(matrix, (weights) => {
      const { numbers, steps } = roundColumns(weights);
      for (const [n, weight] of weights.numbers.entries()) {
        const step = steps[n % weights.outputs]!;
        expect(Math.abs(numbers[n]!)).toBeLessThanOrEqual(LARGEST_WEIGHT);
        expect(Math.abs(weight - numbers[n]! * step)).toBeLessThanOrEqual(step * 0.5001);
      }
    }),
  );
});

test('two products of any u8 and a weight fit into 16 bits', () => {
  expect(2 * 255 * LARGEST_WEIGHT).toBeLessThanOrEqual(2 ** 15 - 1);
});

test('a number of a table is off by half a step of its row at most', () => {
  fc.assert(
    fc.property(matrix, ({ inputs, outputs, numbers }) => {
      const table = roundRows(numbers, outputs);
      expect(table.steps).toHaveLength(inputs);
      for (const [n, x] of numbers.entries()) {
        const step = table.steps[Math.floor(n / outputs)]!;
        expect(Math.abs(x - table.numbers[n]! * step)).toBeLessThanOrEqual(step * 0.5001);
      }
    }),
  );
});

test('an activation is off by a step at most within the range, is cut off beyond, and 0 stays 0', () => {
  const range = fc.tuple(
    fc.float({ min: -100, max: 0, noNaN: true }),
    fc.float({ min: 0.125, max: 100, noNaN: true }),
  );
  fc.assert(
    fc.property(range, fc.double({ min: 0, max: 1, noNaN: true }), ([low, high], part) => {
      const rounding = roundingOf(low, high);
      const x = low + (high - low) * part;
      expect(rounded(0, rounding)).toBeCloseTo(0, 10);
      expect(Math.abs(x - rounded(x, rounding))).toBeLessThanOrEqual(rounding.step * 1.0001);
      expect(rounded(high + 1000, rounding)).toBeLessThanOrEqual(high + rounding.step);
      expect(rounded(low - 1000, rounding)).toBeGreaterThanOrEqual(low - rounding.step);
    }),
  );
});

test('halves go to the even number, as QuantizeLinear rounds', () => {
  const rounding = { step: 1, zeroPoint: 100 };
  expect([0.5, 1.5, 2.5, -0.5, -1.5].map((x) => rounded(x, rounding))).toEqual([0, 2, 2, 0, -2]);
});

test('with its bias corrected, a layer gives on average what it gave', () => {
  fc.assert(
    fc.property(
      matrix,
      fc.array(fc.array(number, { minLength: 12, maxLength: 12 }), { minLength: 2 }),
      (weights, rows) => {
        const { inputs, outputs, numbers } = weights;
        const activations = activationsOf(rows.map((row) => row.slice(0, inputs)));
        const chosen = fit(activations, [weights]);
        const bias = new Float32Array(outputs);
        const sampled = sampledMeans(activations, chosen);
        const [integers] = chosen.matrices;
        correctBias(bias, { matrix: weights, rounded: integers!, sampled });
        for (let column = 0; column < outputs; column += 1) {
          let [exact, made, size] = [0, bias[column]!, 0];
          for (let row = 0; row < inputs; row += 1) {
            const n = row * outputs + column;
            exact += activations.means()[row]! * numbers[n]!;
            made += sampled.rounded[row]! * integers!.numbers[n]! * integers!.steps[column]!;
            size += Math.abs(sampled.exact[row]! * numbers[n]!) + Math.abs(bias[column]!);
          }
          expect(Math.abs(exact - made)).toBeLessThanOrEqual(1e-3 + 1e-4 * size);
        }
      },
    ),
    { numRuns: 30 },
  );
});

test('a column of outliers is moved to the weights, which loses less than rounding it as it is', () => {
  const random = xorshift(7);
  const rows = Array.from({ length: 200 }, () =>
    Array.from({ length: 16 }, (_, n) => random() * (n === 3 ? 200 : 1)),
  );
  const numbers = Float32Array.from({ length: 16 * 8 }, () => random());
  const weights = { inputs: 16, outputs: 8, numbers };
  const chosen = fit(activationsOf(rows), [weights]);
  expect(chosen.divisors[3]!).toBeGreaterThan(5 * chosen.divisors[0]!);
  const plain = {
    divisors: new Float32Array(16).fill(1),
    rounding: roundingOf(-200, 200),
    matrices: [roundColumns(weights)],
  };
  const error = ({ divisors, rounding, matrices }: Pick<Fit, 'divisors' | 'rounding' | 'matrices'>): number =>
    rows.reduce((sum, row) => {
      for (let column = 0; column < 8; column += 1) {
        let wrong = 0;
        for (const [n, x] of row.entries()) {
          const at = n * 8 + column;
          wrong +=
            x * numbers[at]! -
            rounded(x / divisors[n]!, rounding) * matrices[0]!.numbers[at]! * matrices[0]!.steps[column]!;
        }
        sum += wrong * wrong;
      }
      return sum;
    }, 0);
  expect(error(chosen)).toBeLessThan(error(plain) / 4);
});

test('columns that are always 0, and weights that are, are no division by 0', () => {
  const activations = activationsOf([
    [0, 1, 0],
    [0, 2, 0],
  ]);
  const { divisors, matrices } = fit(activations, [
    { inputs: 3, outputs: 2, numbers: Float32Array.of(1, 1, 0, 0, 0, 0) },
  ]);
  for (const divisor of divisors) expect(divisor).toBeGreaterThan(0);
  expect(matrices[0]!.steps.every((step) => Number.isFinite(step) && step > 0)).toBe(true);
});

test('of very many rows some are kept, from all over, and means are of all', () => {
  const activations = new Activations(1);
  for (let n = 0; n < 5000; n += 1) activations.add(Float32Array.of(n));
  expect(activations.rows).toBe(5000);
  expect(activations.samples.length).toBeLessThanOrEqual(512);
  expect(activations.samples.length).toBeGreaterThan(200);
  expect(activations.samples.at(-1)![0]).toBeGreaterThan(4900);
  expect(activations.means()[0]).toBeCloseTo(2499.5);
});

function activationsOf(rows: readonly (readonly number[])[]): Activations {
  const activations = new Activations(rows[0]?.length ?? 0);
  activations.add(Float32Array.from(rows.flat()));
  return activations;
}

/** Reproducible numbers from −1 to 1. */
function xorshift(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 31;
  };
}
