import { shortestFloats } from '@embedmill/jobs';

/** Bytes of a float32 in its fewest digits and a comma, at most: `-100000000000000000000,`. */
export const BYTES_A_FLOAT = 24;

const [COMMA, MINUS, DOT, ZERO, OPEN, CLOSE] = Buffer.from(',-.0[]') as unknown as [
  number,
  number,
  number,
  number,
  number,
  number,
];

/**
 * JSON written as bytes, piece after piece: no strings are made of vectors, to be joined and encoded. What is asked for is not
 * checked to be JSON, nor to fit: who writes knows how much it will be, at most.
 */
export class JsonBytes {
  readonly #bytes: Buffer;
  #length = 0;

  constructor(room: number) {
    this.#bytes = Buffer.allocUnsafeSlow(room);
  }

  /** What has been written so far. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** JSON that has no characters beyond ASCII. */
  ascii(json: string): void {
    this.#length += this.#bytes.write(json, this.#length, 'latin1');
  }

  json(json: string): void {
    this.#length += this.#bytes.write(json, this.#length);
  }

  /** An array of these numbers, as `JSON.stringify(shortestFloats(values))` has it. */
  floats(values: Float32Array): void {
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = OPEN;
    for (let n = 0; n < values.length; n += 1) {
      if (n > 0) bytes[at++] = COMMA;
      at = writeFloat(bytes, at, values[n] ?? 0);
    }
    bytes[at++] = CLOSE;
    this.#length = at;
  }
}

/** The digits of the numbers from 0 to 999, three each. */
const TRIPLES = Uint8Array.from(
  Array.from({ length: 1000 }, (_, n) => String(n).padStart(3, '0')).join(''),
  (digit) => ZERO + Number(digit),
);
const POWERS = Float64Array.from({ length: 16 }, (_, power) => Number(`1e${power}`));
const DIGITS = 9;
/** Of what is smaller, JSON has exponents. */
const LEAST = 1e-6;

/** Writes a number where there is room for it, and gives where it ends. See `shortestFloats` for which digits these are. */
function writeFloat(bytes: Buffer, start: number, value: number): number {
  const size = Math.abs(value);
  if (!(size >= LEAST && size < 10) || Number.isInteger(value)) {
    return start + bytes.write(String(shortestFloats(Float32Array.of(value))[0]), start, 'latin1');
  }
  // Nine digits are so many behind the point.
  let decimals = DIGITS - 1;
  for (let scaled = size; scaled < 1; scaled *= 10) decimals += 1;
  let digits = nineDigits(size, decimals);
  if (digits === 10 ** DIGITS) {
    // Rounded up to the next power of ten.
    digits /= 10;
    decimals -= 1;
  }
  let at = start;
  if (value < 0) bytes[at++] = MINUS;
  if (size < 1) {
    bytes[at++] = ZERO;
    bytes[at++] = DOT;
    for (let zeros = decimals - DIGITS; zeros > 0; zeros -= 1) bytes[at++] = ZERO;
    at = writeNine(bytes, at, digits);
  } else {
    const end = writeNine(bytes, at + 1, digits);
    bytes[at] = bytes[at + 1] ?? ZERO;
    bytes[at + 1] = DOT;
    at = end;
  }
  while (bytes[at - 1] === ZERO) at -= 1;
  return at;
}

/** The fewest digits that tell the float32 from all others, with zeros behind up to nine. */
function nineDigits(size: number, decimals: number): number {
  // They are below 2^31, where `| 0` cuts off what is behind the point.
  const by = POWERS[decimals] ?? 1;
  const seven = (size * (by / 100) + 0.5) | 0;
  if (Math.fround(seven / (by / 100)) === size) return seven * 100;
  const eight = (size * (by / 10) + 0.5) | 0;
  if (Math.fround(eight / (by / 10)) === size) return eight * 10;
  return (size * by + 0.5) | 0;
}

function writeNine(bytes: Buffer, at: number, digits: number): number {
  const millions = (digits / 1_000_000) | 0;
  const thousands = (digits / 1000) | 0;
  writeTriple(bytes, at, millions);
  writeTriple(bytes, at + 3, thousands - millions * 1000);
  writeTriple(bytes, at + 6, digits - thousands * 1000);
  return at + DIGITS;
}

function writeTriple(bytes: Buffer, at: number, value: number): void {
  const from = value * 3;
  bytes[at] = TRIPLES[from] ?? ZERO;
  bytes[at + 1] = TRIPLES[from + 1] ?? ZERO;
  bytes[at + 2] = TRIPLES[from + 2] ?? ZERO;
}
