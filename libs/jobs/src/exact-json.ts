/**
 * JSON without loss of numbers. A number that a double cannot represent as written becomes its text, so that everybody gets
 * back the number that they sent. The same rule applies to NDJSON, JSON bodies, CSV and Parquet.
 */

/** A double can only change numbers with 16 or more digits, or with an exponent. */
const MAY_CHANGE = /(?:^|[\s:,[])-?\d(?:[\d.]{15}|[\d.]*[eE])/;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** From here on, JavaScript writes whole numbers with an exponent, as they were written. */
const EXPONENT_FROM = 1e21;
/** The most significant digits that identify a double. */
const MOST_DIGITS = 100;

/** Like `JSON.parse`, but with numbers from `exactNumber`. Throws what `JSON.parse` throws. */
export function parseJson(text: string): unknown {
  if (!mayHaveInexactNumber(text)) return JSON.parse(text);
  // TypeScript does not know of the third argument yet (ECMA-262, JSON.parse source text access).
  return JSON.parse(text, keepNumber as (this: unknown, key: string, value: unknown) => unknown);
}

/** A quick check whether `parseJson` may differ from `JSON.parse` for a text. */
export function mayHaveInexactNumber(text: string): boolean {
  return MAY_CHANGE.test(text);
}

function keepNumber(_key: string, value: unknown, { source }: { source?: string }): unknown {
  return typeof value === 'number' && source !== undefined ? exactNumber(source) : value;
}

/**
 * A number as a double if that is the same number, else its text: integers beyond 2^53, and decimals with more digits than
 * a double has. Whole doubles beyond 2^53 are also texts, because they are written like integers.
 *
 * @param written as JSON writes numbers
 */
export function exactNumber(written: string): number | string {
  const value = Number(written);
  const hasExponent = Math.abs(value) >= EXPONENT_FROM && /e/i.test(written);
  if (Number.isInteger(value) && !Number.isSafeInteger(value) && !hasExponent) return written;
  return isSame(written, value) ? value : written;
}

/** Whether a text is a number that `exactNumber` keeps as a text. */
export function isInexactNumber(text: string): boolean {
  return NUMBER.test(text) && typeof exactNumber(text) === 'string';
}

/**
 * Whether the double, written with the same number of digits, equals the original. JavaScript prints the fewest digits
 * that distinguish a double from its neighbours; if two such decimals are equally near, its choice differs from that of
 * `toPrecision`.
 */
function isSame(written: string, value: number): boolean {
  const [digits, exponent] = decimalOf(written);
  if (digits === '') return true;
  if (digits.length > MOST_DIGITS || !Number.isFinite(value)) return false;
  const printed = decimalOf(String(value));
  const [same, sameExponent] =
    printed[0].length === digits.length ? printed : decimalOf(value.toPrecision(digits.length));
  return digits === same && exponent === sameExponent;
}

/** A number's significant digits without zeros at the ends, and the power of ten of the first; none for zero. */
function decimalOf(written: string): [digits: string, exponent: number] {
  const [, whole = '', fraction = '', power = '0'] =
    /^-?(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(written) ?? [];
  const all = whole + fraction;
  const first = all.search(/[1-9]/);
  if (first === -1) return ['', 0];
  return [all.slice(first).replace(/0+$/, ''), whole.length - first + Number(power)];
}
