/** Characters that a terminal draws two columns wide, near enough: East Asian scripts, full-width forms, emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const NO_WIDTH = /\p{Mn}|\p{Me}|\p{Cf}/u;

/** What steers a terminal, and what turns the order of letters around (Unicode's bidirectional controls). */
const STEERING = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;
/** The same, but for line ends and tabs; and styles (ECMA-48, SGR), which are found first so as to be kept. */
// eslint-disable-next-line no-control-regex
const STEERING_OR_STYLE = /\u001b\[[\d;]*m|[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/** Lines of our own making, without what text in them may do to a terminal beside being read. */
export function harmless(lines: string): string {
  return lines.replace(STEERING_OR_STYLE, (found) =>
    found.length > 1 || found === '\n' || found === '\t' ? found : '',
  );
}

/** The text on one line: white space runs become one space, control characters (which steer terminals) go. */
export function oneLine(text: string): string {
  return text.replace(/\s+/gu, ' ').replace(STEERING, '').trim();
}

/** Columns that the text takes in a terminal. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) columns += widthOf(character);
  return columns;
}

/** The text cut to so many columns, with an ellipsis where something was cut. */
export function cut(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let kept = '';
  let used = 1;
  for (const character of text) {
    used += widthOf(character);
    if (used > columns) break;
    kept += character;
  }
  return columns < 1 ? '' : `${kept.trimEnd()}…`;
}

/** Rows of cells as lines with aligned columns; the columns in `right` are aligned to the right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => columnsOf(row[at] ?? ''))));
  return rows.map((row) =>
    row
      .map((cell, at) => {
        const space = ' '.repeat((widths[at] ?? 0) - columnsOf(cell));
        return right.includes(at) ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** 12345 → "12,345". */
export function grouped(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** A rate in few characters: 0.4, 12, 980, 12.3k, 1.2M. */
export function compact(rate: number): string {
  if (rate < 10) return rate.toFixed(1);
  if (rate < 1000) return rate.toFixed(0);
  if (rate < 999_500) return rate < 99_950 ? `${(rate / 1e3).toFixed(1)}k` : `${(rate / 1e3).toFixed(0)}k`;
  return `${(rate / 1e6).toFixed(1)}M`;
}

/** Seconds as 0:07, 12:34 or 1:02:03. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (part: number): string => String(part).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** Bytes as "12.3 MB". */
export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = count / 1000;
  let unit = 0;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

function widthOf(character: string): number {
  if (NO_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
