/**
 * The format of a file, by its name; and its first rows, which are enough to see its content and to map its columns.
 */
export type FileFormat = 'ndjson' | 'csv' | 'parquet' | 'document';

export interface NamedFile {
  readonly format: FileFormat;
  readonly gzip: boolean;
}

export interface Preview {
  readonly columns: readonly string[];
  /** Cells as text, in the order of the columns. */
  readonly rows: readonly (readonly string[])[];
  /** The delimiter between the cells of a CSV. */
  readonly delimiter?: string;
}

export const ROWS = 6;
const DELIMITERS = [',', ';', '\t', '|'] as const;
const CELL = 300;

export function formatOfName(name: string): NamedFile {
  const plain = name.toLowerCase().replace(/\.gz$/, '');
  const gzip = plain !== name.toLowerCase();
  if (/\.(csv|tsv|tab)$/.test(plain)) return { format: 'csv', gzip };
  if (/\.(parquet|pq)$/.test(plain)) return { format: 'parquet', gzip };
  // Whatever its name, a file may turn out to contain NDJSON (`readBeginning`).
  return { format: /\.(ndjson|jsonl)$/.test(plain) ? 'ndjson' : 'document', gzip };
}

/** The first rows of a file, from its beginning. Unless `isWhole`, the last line may be truncated and is left out. */
export function previewOf(text: string, format: 'ndjson' | 'csv', isWhole: boolean): Preview {
  return format === 'csv' ? csvPreview(text, isWhole) : ndjsonPreview(text, isWhole);
}

function ndjsonPreview(text: string, isWhole: boolean): Preview {
  const lines = text.replace(/^\uFEFF/, '').split('\n');
  const whole = isWhole ? lines : lines.slice(0, -1);
  const objects = whole.flatMap(objectOf).slice(0, ROWS);
  const columns = [...new Set(objects.flatMap(Object.keys))];
  const rows = objects.map((object) => columns.map((column) => cellOf(object[column])));
  return { columns, rows };
}

function objectOf(line: string): Record<string, unknown>[] {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? [value as Record<string, unknown>]
      : [];
  } catch {
    return [];
  }
}

/** A value as text for a cell. */
export function cellOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'bigint') return String(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value, plainValue);
  return text.slice(0, CELL);
}

/** Parquet has integers that JSON cannot represent. */
function plainValue(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

function csvPreview(text: string, isWhole: boolean): Preview {
  const plain = text.replace(/^\uFEFF/, '');
  const delimiter = delimiterOf(plain);
  const records = recordsOf(plain, delimiter, isWhole);
  const [columns = [], ...rows] = records;
  return {
    columns,
    rows: rows.map((row) => columns.map((_, n) => (row[n] ?? '').slice(0, CELL))),
    delimiter,
  };
}

/** The most frequent delimiter in the first line, outside of quotes. */
function delimiterOf(text: string): string {
  const [first = ''] = text.replaceAll(/"[^"]*"/g, '').split('\n', 1);
  const counts = DELIMITERS.map((one) => first.split(one).length);
  return DELIMITERS[counts.indexOf(Math.max(...counts))] ?? ',';
}

/** The header and the first rows. A truncated record is left out. */
function recordsOf(text: string, delimiter: string, isWhole: boolean): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let cell = '';
  let isQuoted = false;
  const endRecord = () => {
    record.push(cell);
    if (record.length > 1 || cell !== '') records.push(record);
    record = [];
    cell = '';
  };
  for (let at = 0; at < text.length && records.length <= ROWS; at += 1) {
    const character = text.charAt(at);
    if (isQuoted) {
      if (character !== '"') cell += character;
      else if (text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else isQuoted = false;
    } else if (character === '"' && cell === '') isQuoted = true;
    else if (character === delimiter) {
      record.push(cell);
      cell = '';
    } else if (character === '\n') endRecord();
    else if (character !== '\r') cell += character;
  }
  if (isWhole && records.length <= ROWS && (cell !== '' || record.length > 0)) endRecord();
  return records.slice(0, ROWS + 1);
}
