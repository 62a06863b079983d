import { isUtf8 } from 'node:buffer';
import { exactNumber, parseJson } from '@embedmill/jobs';
import type { ParquetParsers, SchemaElement } from 'hyparquet';
import { ValueFault } from './row-fault.ts';

/** How a column's values are read: the element to show to the decoder, and the conversion of stored values. */
export interface ValueReading {
  element: SchemaElement;
  parsers: Partial<ParquetParsers>;
}

type Raw = number | bigint | Uint8Array;
const UNITS = { MILLIS: 1000n, MICROS: 1_000_000n, NANOS: 1_000_000_000n } as const;
const MILLIS_A_DAY = 86_400_000;
/** The maximum bytes of a decimal number: 76 digits take 32. */
const MOST_DECIMAL_BYTES = 64;
const [DAYS_BYTES, INTERVAL_BYTES] = [4, 12];

/**
 * Keeps values exact: decimals digit by digit, times in their full resolution (the decoder itself truncates them to
 * milliseconds, and rounds up before 1970), and bytes as bytes unless the column declares text. For types without a
 * customisable parser, the element is shown to the decoder as a date, because it passes each stored value to the date
 * parser.
 */
export function valueReadingOf(element: SchemaElement): ValueReading {
  const { converted_type: converted, logical_type: logical } = element;
  const kind = logical?.type ?? converted;
  switch (kind) {
    case 'DECIMAL': {
      const scale = element.scale ?? (logical?.type === 'DECIMAL' ? logical.scale : 0);
      return asRaw(element, (raw) => decimalOf(raw, scale));
    }
    case 'TIME':
    case 'TIME_MILLIS':
    case 'TIME_MICROS': {
      const unit = logical?.type === 'TIME' ? logical.unit : kind === 'TIME_MILLIS' ? 'MILLIS' : 'MICROS';
      return asRaw(element, (raw) => timeOf(BigInt(raw as number | bigint), UNITS[unit]));
    }
    case 'INTERVAL':
      return asRaw(element, (raw) => intervalOf(raw as Uint8Array));
    case 'BSON':
      return asRaw(element, (raw) => raw);
    case 'ENUM':
    case 'STRING':
    case 'UTF8':
      return { element: { ...element, converted_type: 'UTF8' }, parsers: VALUE_PARSERS };
    case 'JSON':
      return { element: { ...element, converted_type: 'JSON' }, parsers: VALUE_PARSERS };
    default:
      return { element, parsers: VALUE_PARSERS };
  }
}

function asRaw(element: SchemaElement, valueOf: (raw: Raw) => unknown): ValueReading {
  const shown: SchemaElement = { ...element, converted_type: 'DATE' };
  delete shown.logical_type;
  const dateFromDays = (raw: unknown) => (raw === undefined || raw === null ? null : valueOf(raw as Raw));
  return { element: shown, parsers: { ...VALUE_PARSERS, dateFromDays } };
}

/** The types that the decoder knows. */
export const VALUE_PARSERS: Partial<ParquetParsers> = {
  timestampFromMilliseconds: (millis) => instantOf(millis, UNITS.MILLIS),
  timestampFromMicroseconds: (micros) => instantOf(micros, UNITS.MICROS),
  timestampFromNanoseconds: (nanos) => instantOf(nanos, UNITS.NANOS),
  dateFromDays: (days) =>
    dateOf(days * MILLIS_A_DAY)?.slice(0, 10) ?? new ValueFault('the day is out of range'),
  stringFromBytes: (bytes) => textOf(bytes, (text) => text),
  jsonFromBytes: (bytes) => textOf(bytes, jsonOf),
};

function textOf<T>(bytes: Uint8Array | undefined, of: (text: string) => T): T | ValueFault | null {
  if (bytes === undefined) return null;
  if (!isUtf8(bytes)) return new ValueFault('it is not valid UTF-8', 'invalid_utf8');
  return of(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
}

function jsonOf(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return new ValueFault('it is not valid JSON');
  }
}

/** Units since 1970 as RFC 3339 text in UTC: with milliseconds, and further digits if needed. */
function instantOf(units: bigint | null | undefined, aSecond: bigint): string | ValueFault | null {
  if (units === null || units === undefined) return null;
  const rest = modulo(units, aSecond);
  const seconds = dateOf(Number((units - rest) / aSecond) * 1000);
  if (seconds === undefined) return new ValueFault('the time is out of range');
  return `${seconds.slice(0, -'.000Z'.length)}.${fractionOf(rest, aSecond)}Z`;
}

function timeOf(units: bigint, aSecond: bigint): string {
  const rest = modulo(units, aSecond);
  const seconds = Number((units - rest) / aSecond);
  const part = (value: number) => String(value).padStart(2, '0');
  const time = `${part(Math.floor(seconds / 3600))}:${part(Math.floor(seconds / 60) % 60)}:${part(seconds % 60)}`;
  return rest === 0n ? time : `${time}.${fractionOf(rest, aSecond)}`;
}

/** Milliseconds, microseconds or nanoseconds, whichever are exact. */
function fractionOf(rest: bigint, aSecond: bigint): string {
  const digits = String(rest).padStart(String(aSecond).length - 1, '0');
  return digits.padEnd(9, '0').replace(/^(\d{3}(?:\d{3})??(?:\d{3})??)0*$/, '$1');
}

function dateOf(milliseconds: number): string | undefined {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

function decimalOf(raw: Raw, scale: number): number | string | ValueFault {
  if (raw instanceof Uint8Array && raw.length > MOST_DECIMAL_BYTES)
    return new ValueFault(`a decimal has ${raw.length} bytes`);
  const unscaled = raw instanceof Uint8Array ? signedOf(raw) : BigInt(raw);
  const sign = unscaled < 0n ? '-' : '';
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  if (scale === 0) return exactNumber(`${sign}${digits}`);
  return exactNumber(`${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`);
}

/** A number in big-endian two's complement. */
function signedOf(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
}

/** Months, days and milliseconds as a duration of ISO 8601. */
function intervalOf(bytes: Uint8Array): string | ValueFault {
  if (bytes.length !== INTERVAL_BYTES) return new ValueFault(`an interval has ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [months, days, millis] = [0, DAYS_BYTES, 2 * DAYS_BYTES].map((at) => view.getUint32(at, true));
  return `P${months}M${days}DT${(millis ?? 0) / 1000}S`;
}

function modulo(value: bigint, by: bigint): bigint {
  const rest = value % by;
  return rest < 0n ? rest + by : rest;
}
