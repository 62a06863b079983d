/**
 * Converts float32 numbers to doubles with the same shortest decimal form. Printed, they take three fifths of the
 * bytes, and reading them as float32 again gives the same numbers.
 *
 * "Shortest" means the fewest digits to which the number itself can be rounded; at a few powers of two, another decimal
 * with one digit less would also work. Nine significant digits distinguish every float32 (24 bits), and most need
 * eight; for those that need only six, seven digits give the same number. Rounding the product with a power of ten
 * finds the digits at much less cost than printing.
 */
export function shortestFloats(vector: Float32Array): number[] {
  const shortest = new Array<number>(vector.length);
  for (let n = 0; n < vector.length; n += 1) shortest[n] = shortestFloat(vector[n] ?? 0);
  return shortest;
}

/** Powers of ten that are exact doubles, so that a division by one rounds once, like parsing the decimal. */
const POWERS = Float64Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));
const LEAST_DIGITS = 7;
const MOST_DIGITS = 9;
/** From here to 1, these powers of ten suffice for nine digits. */
const LEAST_SIZE = 1e-13;

function shortestFloat(value: number): number {
  const size = Math.abs(value);
  if (!(size >= LEAST_SIZE && size < 1)) return byPrinting(value);
  let power = LEAST_DIGITS;
  for (let scaled = size * 1e7; scaled < 1e6; scaled *= 10) power += 1;
  for (let digits = LEAST_DIGITS; digits <= MOST_DIGITS; digits += 1, power += 1) {
    const by = POWERS[power] ?? 1;
    const candidate = Math.round(value * by) / by;
    if (Math.fround(candidate) === value) return candidate;
  }
  return byPrinting(value);
}

/** For numbers that no vector of length 1 has, except 0 and 1. */
function byPrinting(value: number): number {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return value;
  for (let digits = 1; digits <= MOST_DIGITS; digits += 1) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return value;
}
