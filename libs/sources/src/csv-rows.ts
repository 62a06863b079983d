import { MAX_LINE_BYTES } from './lines.ts';

/**
 * Rows of CSV (RFC 4180) from text that arrives in pieces. A line may end in LF, CRLF or CR. A broken row is reported
 * with its reason and ends with its first line; reading continues after it, so an unclosed quote costs one row and not
 * the file. Memory is bounded by the longest row and by `MOST_COLUMNS`.
 */
export type CsvRow = { cells: string[]; isBlank: boolean } | { fault: string };

/** The most cells that are built for a row. */
export const MOST_COLUMNS = 10_000;
const [QUOTE, NEWLINE, CARRIAGE_RETURN, SPACE] = [0x22, 0x0a, 0x0d, 0x20];

export class CsvRows {
  readonly #delimiter: string;
  #text = '';
  #pending: string[] = [];
  #pendingLength = 0;
  /** Whether the rest of a line that is too long is being skipped. */
  #isSkipping = false;

  constructor(delimiter: string) {
    this.#delimiter = delimiter;
  }

  /** The rows that are complete now. A row that arrives in many pieces is reread each time it has doubled. */
  push(piece: string): CsvRow[] {
    this.#pending.push(piece);
    this.#pendingLength += piece.length;
    if (this.#pendingLength < this.#text.length) return [];
    return this.#read(false);
  }

  /** The remaining rows, once all text was pushed. */
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
      // An empty line is not a row.
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

type RowExtent = { next: number; endLength: number };

/** The row at `start`, where the next one begins, and how long its line end is; undefined until it is complete. */
function rowAt(
  text: string,
  start: number,
  delimiter: string,
  isLast: boolean,
): (CsvRow & RowExtent) | undefined {
  const separator = delimiter.charCodeAt(0);
  const broken = (fault: string): (CsvRow & RowExtent) | undefined => {
    const next = lineEndAt(text, start);
    if (next === undefined && !isLast) return undefined;
    return { fault, next: next ?? text.length, endLength: 0 };
  };
  const cells: string[] = [];
  let count = 0;
  let at = start;
  let end: number;
  do {
    const cell = text.charCodeAt(at) === QUOTE ? quotedCell(text, at) : plainCell(text, at, separator);
    if (!isLast && (cell === undefined || cell.end === text.length)) return undefined;
    if (cell === undefined) return broken('has an unclosed quote');
    if (count < MOST_COLUMNS) cells.push(cell.value);
    count += 1;
    end = cell.end;
    at = end + 1;
  } while (text.charCodeAt(end) === separator);

  if (end < text.length && !isLineEnd(text.charCodeAt(end)))
    return broken(`has text after a closing quote in column ${count}`);
  // A CR that ends the text may be the first half of CRLF.
  if (!isLast && at === text.length && text.charCodeAt(end) === CARRIAGE_RETURN) return undefined;
  const next = end === text.length ? end : endOfLine(text, end);
  const endLength = next - end;
  if (count > MOST_COLUMNS)
    return { fault: `has ${count} fields; at most ${MOST_COLUMNS} are supported`, next, endLength };
  // Spreadsheets write rows of nothing but delimiters below their last row.
  const isBlank = end - start === count - 1;
  return { cells, isBlank, next, endLength };
}

/** A cell, and the place of what ends it. */
interface Cell {
  value: string;
  end: number;
}

/** The cell whose quote opens at `at`; undefined while the quote is not closed. */
function quotedCell(text: string, at: number): Cell | undefined {
  const closing = closingQuote(text, at + 1);
  if (closing === undefined) return undefined;
  let end = closing + 1;
  // Spaces are allowed between a quote and what ends its cell.
  while (text.charCodeAt(end) === SPACE) end += 1;
  return { value: unquoted(text.slice(at + 1, closing)), end };
}

function plainCell(text: string, at: number, separator: number): Cell {
  let end = at;
  while (end < text.length) {
    const code = text.charCodeAt(end);
    if (code === separator || isLineEnd(code)) break;
    end += 1;
  }
  return { value: text.slice(at, end), end };
}

function isLineEnd(code: number): boolean {
  return code === NEWLINE || code === CARRIAGE_RETURN;
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

/** The place after the end of the line at `from`. */
function lineEndAt(text: string, from: number): number | undefined {
  for (let at = from; at < text.length; at += 1) {
    if (isLineEnd(text.charCodeAt(at))) return endOfLine(text, at);
  }
  return undefined;
}

function endOfLine(text: string, at: number): number {
  const isPair = text.charCodeAt(at) === CARRIAGE_RETURN && text.charCodeAt(at + 1) === NEWLINE;
  return at + (isPair ? 2 : 1);
}
