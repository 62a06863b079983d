/**
 * The numbers as doubles whose shortest decimal form is that of the float32: what is printed of them takes three fifths
 * of the bytes, and read as float32 again gives the same numbers.
 *
 * "Shortest" is the fewest digits to which the number itself can be rounded; at a few powers of two another decimal with
 * one digit less would do as well. Nine significant digits tell a float32 from all others (24 bits), most need eight, and what six would do for has the
 * same seven. Rounding a product by a power of ten finds them for much less than printing them would cost.
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
/** From here to 1, powers of ten for nine digits are among them. */
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
