import { MAX_LINE_BYTES } from './lines.ts';

/**
 * Rows of CSV (RFC 4180) from text that comes in pieces. Lines end in LF, CRLF or CR, each as it likes. A row that is
 * none is told with its reason and ends with its first line, so that what follows is read as if it were not there:
 * a quote that never ends costs one row, not the file. Memory is bounded by the longest row and by `MOST_COLUMNS`.
 */
export type CsvRow = { cells: string[]; isBlank: boolean } | { fault: string };

/** More cells than this are not built, of which row ever. */
export const MOST_COLUMNS = 10_000;
const [QUOTE, NEWLINE, CARRIAGE_RETURN] = [0x22, 0x0a, 0x0d];

export class CsvRows {
  readonly #delimiter: string;
  #text = '';
  #pending: string[] = [];
  #pendingLength = 0;
  /** Whether the rest of a line that is too long is being passed over. */
  #isSkipping = false;

  constructor(delimiter: string) {
    this.#delimiter = delimiter;
  }

  /** The rows that are whole by now. A row that comes in many pieces is looked at as often as it doubles. */
  push(piece: string): CsvRow[] {
    this.#pending.push(piece);
    this.#pendingLength += piece.length;
    if (this.#pendingLength < this.#text.length) return [];
    return this.#read(false);
  }

  /** The rows that are left, once all text was pushed. */
  end(): CsvRow[] {
    return this.#read(true);
  }

  #read(isLast: boolean): CsvRow[] {
    const text = this.#text + this.#pending.join('');
    this.#pending = [];
    this.#pendingLength = 0;
    const rows: CsvRow[] = [];
    let at = this.#isSkipping ? this.#skip(text) : 0;
    while (at < text.length) {
      const row = rowAt(text, at, this.#delimiter, isLast);
      if (row === undefined) {
        if (text.length - at <= MAX_LINE_BYTES) break;
        rows.push({ fault: `is longer than ${MAX_LINE_BYTES} bytes; is a quote missing?` });
        this.#isSkipping = true;
        at = this.#skip(text, at);
        continue;
      }
      // A line with nothing on it is no row.
      if (row.next - at > row.endLength || 'fault' in row) rows.push(row);
      at = row.next;
    }
    this.#text = text.slice(at);
    return rows;
  }

  /** Where the line after the one at `from` begins. */
  #skip(text: string, from = 0): number {
    const end = lineEndAt(text, from);
    if (end === undefined) return text.length;
    this.#isSkipping = false;
    return end;
  }
}

/** The row at `start`, where the next one begins, and how long its line end is; undefined while it is not whole. */
function rowAt(
  text: string,
  start: number,
  delimiter: string,
  isLast: boolean,
): (CsvRow & { next: number; endLength: number }) | undefined {
  const separator = delimiter.charCodeAt(0);
  const cells: string[] = [];
  let count = 0;
  let at = start;
  for (;;) {
    let end = at;
    if (text.charCodeAt(at) === QUOTE) {
      const closing = closingQuote(text, at + 1);
      if (closing === undefined || (closing + 1 === text.length && !isLast))
        return isLast ? broken('has a quote that never ends') : undefined;
      end = closing + 1;
      if (count < MOST_COLUMNS) cells.push(unquoted(text.slice(at + 1, closing)));
      // Blanks may stand between a quote and what ends its cell.
      while (text.charCodeAt(end) === 0x20) end += 1;
    } else {
      for (; end < text.length; end += 1) {
        const code = text.charCodeAt(end);
        if (code === separator || code === NEWLINE || code === CARRIAGE_RETURN) break;
      }
      if (end === text.length && !isLast) return undefined;
      if (count < MOST_COLUMNS) cells.push(text.slice(at, end));
    }
    count += 1;
    const code = end < text.length ? text.charCodeAt(end) : undefined;
    if (code === separator) {
      at = end + 1;
      if (at === text.length && !isLast) return undefined;
      continue;
    }
    if (code === CARRIAGE_RETURN && end + 1 === text.length && !isLast) return undefined;
    if (code !== undefined && code !== NEWLINE && code !== CARRIAGE_RETURN)
      return broken(`has text behind a closing quote in column ${count}`);
    const next = code === undefined ? end : endOfLine(text, end);
    const endLength = next - end;
    // Delimiters and nothing else, as spreadsheets write what is below their last row.
    const isBlank = end - start === count - 1;
    if (count > MOST_COLUMNS) {
      return { fault: `has ${count} fields; ${MOST_COLUMNS} are read at most`, next, endLength };
    }
    return { cells, isBlank, next, endLength };
  }

  function broken(fault: string) {
    return { fault, next: lineEndAt(text, start) ?? text.length, endLength: 0 };
  }
}

function closingQuote(text: string, from: number): number | undefined {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 2)) {
    if (text.charCodeAt(at + 1) !== QUOTE) return at;
  }
  return undefined;
}

function unquoted(cell: string): string {
  return cell.includes('"') ? cell.replaceAll('""', '"') : cell;
}

/** Where the line that goes on at `from` has its end behind it. */
function lineEndAt(text: string, from: number): number | undefined {
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === NEWLINE || code === CARRIAGE_RETURN) return endOfLine(text, at);
  }
  return undefined;
}

function endOfLine(text: string, at: number): number {
  const isPair = text.charCodeAt(at) === CARRIAGE_RETURN && text.charCodeAt(at + 1) === NEWLINE;
  return at + (isPair ? 2 : 1);
}
