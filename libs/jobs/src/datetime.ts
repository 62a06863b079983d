/** Parses dates of filters and metadata as Qdrant does, so that all stores agree on every value. */

const PATTERN =
  /^(\d{4}-\d{2}-\d{2})(?:[T ]((?:[01]\d|2[0-3]):\d{2}:\d{2})(?:\.(\d+))?(Z|[+-]\d{2}:\d{2})?)?$/;
/** An offset as PostgreSQL writes it, without minutes. */
const SHORT_OFFSET = /:\d{2}(?:\.\d+)?[+-]\d{2}$/;

/**
 * A date (`2024-05-01`) or a date and time with seconds, with a `T` or a space between (RFC 3339, SQL; UTC where no
 * offset is given) as microseconds since 1970, finer digits cut off; undefined when it is neither. Exact for the years
 * 1684 to 2255, and to 32 µs beyond, where a double ends.
 */
export function instantOf(text: string): number | undefined {
  const match = PATTERN.exec(wholeOffset(text));
  if (match === null) return undefined;
  const [, date = '', time = '00:00:00', fraction = '', offset = 'Z'] = match;
  const milliseconds = Date.parse(`${date}T${time}${offset}`);
  if (Number.isNaN(milliseconds) || !isInCalendar(date)) return undefined;
  return milliseconds * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6));
}

/** The same text with an offset as in RFC 3339, which all stores accept. */
export function wholeOffset(text: string): string {
  return SHORT_OFFSET.test(text) ? `${text}:00` : text;
}

/** The same instant as RFC 3339 text in UTC, with microseconds. */
export function instantText(instant: number): string {
  const milliseconds = Math.floor(instant / 1000);
  const micros = instant - milliseconds * 1000;
  return new Date(milliseconds).toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`);
}

/** V8 parses 30 February as 1 March. */
function isInCalendar(date: string): boolean {
  return new Date(`${date}T00:00:00Z`).toISOString().startsWith(date);
}
