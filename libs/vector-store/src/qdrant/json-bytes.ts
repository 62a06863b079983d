import { shortestFloats } from '@embedmill/jobs';

/** The maximum bytes of a float32 in its fewest digits, with a comma: `-100000000000000000000,`. */
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
 * Writes JSON directly as bytes, so that vectors need not become strings to be joined and encoded. Neither validity nor
 * size is checked: the caller knows the maximum size.
 */
export class JsonBytes {
  readonly #bytes: Buffer;
  #length = 0;

  constructor(room: number) {
    this.#bytes = Buffer.allocUnsafeSlow(room);
  }

  /** The bytes written so far. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Writes JSON with only ASCII characters. */
  ascii(json: string): void {
    this.#length += this.#bytes.write(json, this.#length, 'latin1');
  }

  json(json: string): void {
    this.#length += this.#bytes.write(json, this.#length);
  }

  /** Writes an array of these numbers, like `JSON.stringify(shortestFloats(values))`. */
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
/** JSON prints smaller numbers with an exponent. */
const LEAST = 1e-6;

/** Writes a number, for which there must be room, and returns its end. See `shortestFloats` for its digits. */
function writeFloat(bytes: Buffer, start: number, value: number): number {
  const size = Math.abs(value);
  if (!(size >= LEAST && size < 10) || Number.isInteger(value)) {
    return start + bytes.write(String(shortestFloats(Float32Array.of(value))[0]), start, 'latin1');
  }
  // This many of the nine digits are after the point.
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

/** The fewest digits that identify the float32, padded with zeros to nine. */
function nineDigits(size: number, decimals: number): number {
  // Below 2^31, `| 0` truncates the fraction.
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
