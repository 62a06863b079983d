import { EmbedmillError } from '@embedmill/jobs';
import { CsvRows, type CsvRow } from './csv-rows.ts';
import { RowFault } from './row-fault.ts';
import type { Table, TableRow } from './table.ts';
import { decodedText } from './text-decoding.ts';

export interface CsvOptions {
  /** Detected if not given. */
  delimiter?: string | undefined;
  encoding?: string | undefined;
}

/** In order of preference, which decides ties. */
const DELIMITERS = [',', ';', '\t', '|'];
/** How much of the file is examined to detect the delimiter. */
const SAMPLE_CHARACTERS = 1 << 16;
const SAMPLE_ROWS = 20;
/** Excel's declaration of the delimiter, in a separate first line. */
const SEPARATOR_LINE = /^"?sep=([^"\r\n])"?(?:\r\n|\n|\r|$)/i;

/**
 * A CSV file as a table; the first row has the columns' names. Short rows are padded with empty cells; other rows that
 * do not fit become faults. Memory is bounded by the longest row. Errors: `source_unreadable` if the first row has no
 * names.
 */
export async function openCsv(
  bytes: AsyncIterable<Uint8Array>,
  { delimiter, encoding }: CsvOptions = {},
): Promise<Table> {
  const texts = decodedText(bytes, encoding);
  let sample = '';
  let isWhole = true;
  for (;;) {
    const { done, value } = await texts.next();
    if (done === true) break;
    sample += value;
    if (sample.length < SAMPLE_CHARACTERS) continue;
    isWhole = false;
    break;
  }
  const [line = '', said] = SEPARATOR_LINE.exec(sample) ?? [];
  const start = sample.slice(line.length);
  const rows = rowGroups(
    start,
    isWhole ? undefined : texts,
    delimiter ?? said ?? delimiterOf(start, isWhole),
  );
  let group = await rows.next();
  while (group.done !== true && group.value.length === 0) group = await rows.next();
  const [names, ...others] = group.done === true ? [] : group.value;
  if (names === undefined) return { columns: [], rows: rows as AsyncGenerator<never> };
  if ('fault' in names) throw unreadable(`the first row, which must have the column names, ${names.fault}`);
  if (isUndecodable(names.cells))
    throw unreadable(notText('the first row, which must have the column names,', encoding));
  const columns = names.cells.map((name) => name.trim());
  return { columns, rows: tableRows(columns.length, others, rows, encoding) };
}

async function* rowGroups(
  start: string,
  texts: AsyncIterable<string> | undefined,
  delimiter: string,
): AsyncGenerator<CsvRow[]> {
  const rows = new CsvRows(delimiter);
  yield rows.push(start);
  if (texts !== undefined) for await (const text of texts) yield rows.push(text);
  yield rows.end();
}

async function* tableRows(
  columns: number,
  first: CsvRow[],
  groups: AsyncIterable<CsvRow[]>,
  encoding: string | undefined,
): AsyncGenerator<TableRow[]> {
  let row = 0;
  const inTable = (one: CsvRow): TableRow => {
    row += 1;
    if ('fault' in one) return new RowFault('malformed_row', `row ${row} ${one.fault}`);
    const { cells, isBlank } = one;
    if (isBlank) return null;
    if (isUndecodable(cells)) {
      return new RowFault('invalid_utf8', notText(`row ${row}`, encoding));
    }
    while (cells.length > columns && cells.at(-1) === '') cells.pop();
    if (cells.length > columns) {
      const message = `row ${row} has ${cells.length} fields but there are ${columns} columns; is a text with a delimiter or a line end not quoted?`;
      return new RowFault('malformed_row', message);
    }
    return cells;
  };
  yield first.map(inTable);
  for await (const group of groups) yield group.map(inTable);
}

/** The delimiter that gives the most rows the same number of fields as the first one, which must have more than one. */
function delimiterOf(sample: string, isWhole: boolean): string {
  let best = { delimiter: ',', agreeing: 0, columns: 1 };
  for (const delimiter of DELIMITERS) {
    const parser = new CsvRows(delimiter);
    const rows = parser.push(sample);
    if (isWhole) rows.push(...parser.end());
    const [names, ...others] = rows.slice(0, SAMPLE_ROWS);
    if (names === undefined || 'fault' in names) continue;
    const columns = names.cells.length;
    const fits = others.filter((one) => 'cells' in one && one.cells.length === columns).length;
    const agreeing = others.length === 0 ? 1 : fits / others.length;
    const isBetter =
      agreeing > best.agreeing ||
      (agreeing === best.agreeing && columns > best.columns) ||
      best.columns === 1;
    if (columns > 1 && isBetter) best = { delimiter, agreeing, columns };
  }
  return best.delimiter;
}

function isUndecodable(cells: readonly string[]): boolean {
  return cells.some((cell) => !cell.isWellFormed());
}

function notText(what: string, encoding = 'utf-8'): string {
  const name = encoding === 'utf-8' ? 'UTF-8' : encoding;
  return `${what} is not valid ${name}; set its encoding, such as windows-1252, or write the file as UTF-8`;
}

function unreadable(message: string): EmbedmillError {
  return new EmbedmillError('source_unreadable', message);
}
