/** Numbers, sizes and times, formatted for readers of a language. */
export type Language = 'en' | 'zh';

const LOCALES: Readonly<Record<Language, string>> = { en: 'en', zh: 'zh-CN' };
const BYTES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Below this many seconds, tenths are shown; below one second, milliseconds. */
const SHORT = 10;
const TENTH = 0.1;

export interface Format {
  /** In full: `12,345`. */
  count: (value: number) => string;
  /** Compact: `12.3K`. */
  compact: (value: number) => string;
  /** With at most this many decimal places. */
  decimal: (value: number, digits: number) => string;
  /** With exactly this many decimal places, so that numbers in a column line up. */
  fixed: (value: number, digits: number) => string;
  percent: (share: number) => string;
  bytes: (value: number) => string;
  /** `40 ms`, `4.2 s`, `3 min 5 s`, `2 h 4 min`, `3 d 2 h`. */
  duration: (seconds: number) => string;
  /** How long ago the time was, or how long until then. */
  relative: (time: string, now: number) => string;
  /** The full date and time, for tooltips. */
  time: (time: string) => string;
  /** A time in milliseconds as a label on a chart's axis: the hour and minute, or the day. */
  hour: (time: number) => string;
  day: (time: number) => string;
  /** The name of a language, by its BCP 47 tag. */
  language: (tag: string) => string;
}

export function formatOf(language: Language): Format {
  const locale = LOCALES[language];
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumSignificantDigits: 3 });
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });
  const languages = new Intl.DisplayNames(locale, { type: 'language' });
  const hour = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const day = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric', timeZone: 'UTC' });
  const dateTime = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
  return {
    count: (value) => whole.format(value),
    compact: (value) => compact.format(value),
    decimal: (value, digits) =>
      new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value),
    fixed: (value, digits) =>
      new Intl.NumberFormat(locale, {
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      }).format(value),
    percent: (share) => percent.format(share),
    bytes: (value) => bytesText(value, locale),
    duration: (seconds) => durationText(seconds, locale),
    relative: (time, now) => relativeText((Date.parse(time) - now) / 1000, relative),
    time: (time) => dateTime.format(new Date(time)),
    hour: (time) => hour.format(time),
    day: (time) => day.format(time),
    language: (tag) => languages.of(tag) ?? tag,
  };
}

function bytesText(value: number, locale: string): string {
  const power = value < 1 ? 0 : Math.min(BYTES.length - 1, Math.floor(Math.log10(value) / 3));
  const unit = BYTES[power] ?? 'byte';
  // For single bytes, the short form would be singular.
  const unitDisplay = power === 0 ? 'long' : 'short';
  const options = { style: 'unit', unit, unitDisplay, maximumSignificantDigits: 3 } as const;
  return new Intl.NumberFormat(locale, options).format(value / 1000 ** power);
}

function durationText(seconds: number, locale: string): string {
  if (seconds > 0 && seconds < TENTH) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < SHORT)
    return `${new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }).format(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return two(Math.floor(whole / MINUTE), 'min', whole % MINUTE, 's');
  if (whole < DAY) return two(Math.floor(whole / HOUR), 'h', Math.floor((whole % HOUR) / MINUTE), 'min');
  return two(Math.floor(whole / DAY), 'd', Math.floor((whole % DAY) / HOUR), 'h');
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

function relativeText(seconds: number, format: Intl.RelativeTimeFormat): string {
  const distance = Math.abs(seconds);
  if (distance < SHORT) return format.format(0, 'second');
  if (distance < MINUTE) return format.format(Math.round(seconds), 'second');
  if (distance < HOUR) return format.format(Math.round(seconds / MINUTE), 'minute');
  if (distance < DAY) return format.format(Math.round(seconds / HOUR), 'hour');
  return format.format(Math.round(seconds / DAY), 'day');
}
