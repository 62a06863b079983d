/**
 * Parses the dates in files to instants in UTC. A date without a time means its first moment, a time without a zone is
 * in UTC. Any other form than those below, or an impossible day, gives no date: nothing is guessed.
 */

const MONTHS = 'january february march april may june july august september october november december'.split(
  ' ',
);
/** Offsets in hours of the zones that RFC 5322 defines by name; other names are ambiguous. */
const ZONES: Readonly<Record<string, number>> = {
  z: 0,
  ut: 0,
  utc: 0,
  gmt: 0,
  edt: -4,
  est: -5,
  cdt: -5,
  cst: -6,
  mdt: -6,
  mst: -7,
  pdt: -7,
  pst: -8,
};

/** A longer text is not a date. */
const MOST_CHARACTERS = 100;

/** `2024-01-31T12:00:00.5+01:00`, or a prefix of it; a space may replace the T. */
const ISO =
  /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:(?:T|t|\s+)(\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?\s*(z|utc|gmt|[+-]\d\d(?::?\d\d)?)?)?)?)?$/i;
/** `Fri, 1 Mar 2024 10:00:00 +0100 (CET)`, as in messages, including obsolete years and zones. */
const MESSAGE =
  /^(?:[a-z]{3,9}\.?,?\s+)?(\d{1,2})[ -]([a-z]{3,9})\.?[ -](\d{4}|\d{2})(?:,?\s+(\d{1,2}):(\d\d)(?::(\d\d))?(?:\s*(?:([+-]\d\d:?\d\d)|([a-z]{1,4})))?)?(?:\s*\([^()]*\))*$/i;
/** `March 1, 2024`, with or without a time after it. */
const SPELT =
  /^([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(?:,?\s+(?:at\s+)?(\d{1,2}):(\d\d)(?::(\d\d))?)?$/i;
/** `D:20240131120000+01'00'`, or a prefix of it. */
const PDF =
  /^(?:D:)?(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(\d\d)?)?)?)?)?(?:(Z)'?(?:00'?(?:00'?)?)?|([+-]\d\d)'?(\d\d)?'?)?$/i;

/** A date in the form used in metadata; undefined if the text is not a date. */
export function instant(given: unknown): string | undefined {
  if (given instanceof Date) return Number.isNaN(given.getTime()) ? undefined : given.toISOString();
  if (typeof given !== 'string' || given.length > MOST_CHARACTERS) return undefined;
  const said = given.trim().replace(/\s+/g, ' ');
  const iso = ISO.exec(said);
  if (iso !== null) {
    const [, year, month = '1', day = '1', hour = '0', minute = '0', second = '0', zone = 'z'] = iso;
    return momentOf([year, month, day, hour, minute, second].map(Number), zone);
  }
  const message = MESSAGE.exec(said);
  if (message !== null) {
    const [, day, month = '', year = '', hour = '0', minute = '0', second = '0', offset, name = 'z'] =
      message;
    const parts = [fullYear(year), monthOf(month), Number(day), Number(hour), Number(minute), Number(second)];
    return momentOf(parts, offset ?? name);
  }
  const spelt = SPELT.exec(said);
  if (spelt === null) return undefined;
  const [, month = '', day, year, hour = '0', minute = '0', second = '0'] = spelt;
  return momentOf([Number(year), monthOf(month), ...[day, hour, minute, second].map(Number)], 'z');
}

/** A date in PDF's format. */
export function pdfInstant(given: string | undefined): string | undefined {
  if (given === undefined || given.length > MOST_CHARACTERS) return undefined;
  const found = PDF.exec(given.trim());
  if (found === null) return instant(given);
  const [, year, month = '1', day = '1', hour = '0', minute = '0', second = '0', , offset, minutes = '00'] =
    found;
  const zone = offset === undefined ? 'z' : `${offset}${minutes}`;
  return momentOf([year, month, day, hour, minute, second].map(Number), zone);
}

/** The first of these that is a date. */
export function firstInstant(given: Iterable<unknown>): string | undefined {
  for (const one of given) {
    const found = instant(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

function momentOf(parts: readonly number[], zone: string): string | undefined {
  const [year = NaN, month = NaN, day = NaN, hour = NaN, minute = NaN, second = NaN] = parts;
  const offset = minutesOf(zone);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // An impossible day has become another one.
  const isDay = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!isDay || offset === undefined || year === 0 || hour > 23 || minute > 59 || second > 60)
    return undefined;
  // A leap second counts as the last second of its minute.
  date.setUTCHours(hour, minute - offset, Math.min(second, 59));
  return date.toISOString();
}

/** The offset east of Greenwich; undefined for an unknown zone. */
function minutesOf(zone: string): number | undefined {
  const [, sign, hours, minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? [];
  if (sign === undefined) {
    const hour = ZONES[zone.toLowerCase()];
    return hour === undefined ? undefined : 60 * hour;
  }
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined;
  return (sign === '-' ? -1 : 1) * (60 * Number(hours) + Number(minutes));
}

/** From 1, also for an abbreviated name; 0 if it is not a month. */
function monthOf(name: string): number {
  return MONTHS.findIndex((month) => month.startsWith(name.toLowerCase())) + 1;
}

/** Two-digit years, as RFC 5322 reads them. */
function fullYear(year: string): number {
  if (year.length > 2) return Number(year);
  return Number(year) + (Number(year) < 50 ? 2000 : 1900);
}
