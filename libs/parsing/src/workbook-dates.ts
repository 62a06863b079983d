import { readXml } from './xml.ts';

/** The ids of the built-in date and time formats (ECMA-376, 18.8.30), including those of East Asia. */
const BUILT_IN: readonly (readonly [from: number, to: number])[] = [
  [14, 22],
  [27, 36],
  [45, 45],
  [47, 47],
  [50, 58],
];
const DAY_MS = 86_400_000;
/** Day 0 of workbooks from Windows and from old Macs. */
const EPOCH = Date.UTC(1899, 11, 30);
const EPOCH_1904 = Date.UTC(1904, 0, 1);
/** Day 60 is 29 February 1900, which did not exist. */
const FIRST_RIGHT_DAY = 61;
/** 31 December 9999. */
const LAST_DAY = 2_958_465;

/** The cell styles whose numbers are dates or times. */
export function dateStylesIn(source: string): ReadonlySet<number> {
  const formats = new Set<number>(
    BUILT_IN.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, n) => from + n)),
  );
  const styles = new Set<number>();
  let count = 0;
  let isCell = false;
  if (source === '') return styles;
  readXml(source, {
    open: (name, { numFmtId = '0', formatCode = '' }) => {
      const local = name.slice(name.indexOf(':') + 1);
      if (local === 'numFmt' && isDateFormat(formatCode)) formats.add(Number(numFmtId));
      else if (local === 'cellXfs') isCell = true;
      else if (local === 'xf' && isCell) {
        if (formats.has(Number(numFmtId))) styles.add(count);
        count += 1;
      }
    },
    close: (name) => {
      if (name.slice(name.indexOf(':') + 1) === 'cellXfs') isCell = false;
    },
  });
  return styles;
}

/** Whether a format has parts of a date; durations, whose hours are in brackets, do not count. */
function isDateFormat(code: string): boolean {
  const [first = ''] = code.replace(/"[^"]*"|\\.|_./g, '').split(';');
  if (/\[(?:h+|m+|s+)\]/i.test(first)) return false;
  return /[ymdhs]/i.test(first.replace(/\[[^\]]*\]/g, '').replace(/general/gi, ''));
}

/**
 * Formats a day's number, whose fraction is the time of day, as `2024-01-31 12:30`; a number outside the range stays
 * unchanged.
 */
export function shownDate(value: string, is1904: boolean): string {
  const number = Number(value);
  if (value.trim() === '' || !(number >= 0) || number > LAST_DAY + 1) return value;
  const isEarly = !is1904 && number >= 1 && number < FIRST_RIGHT_DAY;
  const epoch = is1904 ? EPOCH_1904 : EPOCH;
  const seconds = Math.round((number + (isEarly ? 1 : 0)) * (DAY_MS / 1000));
  const [date = '', clock = ''] = new Date(epoch + 1000 * seconds).toISOString().split('T');
  const time = clock.slice(0, clock.slice(6, 8) === '00' ? 5 : 8);
  if (number < 1) return number === 0 && !is1904 ? '00:00' : time;
  return time === '00:00' ? date : `${date} ${time}`;
}
