import { EmbedmillError, parseJson, type JobId, type StoredSource } from '@embedmill/jobs';
import type { DatasetReading } from '@embedmill/queue';
import type { FieldValue } from '@embedmill/outputs';
import { openCsv, readLines, RowFault, type Spool } from '@embedmill/sources';

export interface DatasetRowsInput {
  source: StoredSource;
  reading: DatasetReading;
}

/** The result of checking a dataset's upload. */
export interface DatasetCheck {
  rows: number;
  /** The first skipped rows. */
  warnings: string[];
  /** The fault of the first row that may not be skipped, or of the file. */
  error: string | undefined;
}

/** A row to embed, or its fault. */
type Row = { text: string; fields: { [name: string]: FieldValue } } | { fault: string };

/** The limit of one dataset. */
const MOST_WARNINGS = 100;

/** Reads all rows to find their faults. Errors: those of reading the spool. */
export async function checkDataset(
  spool: Pick<Spool, 'readSource'>,
  input: DatasetRowsInput,
  signal: AbortSignal,
): Promise<DatasetCheck> {
  const check: DatasetCheck = { rows: 0, warnings: [], error: undefined };
  try {
    for await (const group of rowsOf(spool, input)) {
      signal.throwIfAborted();
      for (const { number, row } of group) {
        if (!('fault' in row)) {
          check.rows += 1;
          continue;
        }
        const message = `row ${number} ${row.fault}`;
        if (!input.reading.skipMalformed) return { ...check, error: message };
        if (check.warnings.length < MOST_WARNINGS) check.warnings.push(`${message}; the row was skipped`);
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof EmbedmillError) || thrown.code !== 'source_unreadable') throw thrown;
    return { ...check, error: thrown.message };
  }
  return check.rows > 0 ? check : { ...check, error: 'the file has no rows to embed' };
}

/**
 * A dataset as an embed job's source: a document for each row, whose id is the row's number. Errors: those of
 * `checkDataset`.
 */
export async function writeDatasetLines(
  spool: Spool,
  input: DatasetRowsInput & { job: JobId },
  signal: AbortSignal,
): Promise<StoredSource> {
  const unlimited = { maxBytes: Number.MAX_SAFE_INTEGER };
  return (await spool.receive(input.job, lines(), unlimited)).source;

  async function* lines(): AsyncGenerator<Uint8Array> {
    for await (const group of rowsOf(spool, input)) {
      signal.throwIfAborted();
      const documents = group.flatMap(({ number, row }) =>
        'fault' in row
          ? []
          : `${JSON.stringify({ id: String(number), text: row.text, metadata: row.fields })}\n`,
      );
      if (documents.length > 0) yield Buffer.from(documents.join(''));
    }
  }
}

async function* rowsOf(
  spool: Pick<Spool, 'readSource'>,
  { source, reading }: DatasetRowsInput,
): AsyncGenerator<{ number: number; row: Row }[]> {
  const bytes = spool.readSource(source);
  let number = 0;
  if (reading.format === 'csv') {
    const { columns, rows } = await openCsv(bytes, { delimiter: reading.delimiter });
    for await (const group of rows)
      yield group.flatMap((cells) => {
        number += 1;
        if (cells === null) return [];
        const row: Row =
          cells instanceof RowFault
            ? { fault: `cannot be read: ${cells.message}` }
            : rowOf(new Map(columns.map((name, n) => [name, cells[n] ?? ''])), reading);
        return [{ number, row }];
      });
    return;
  }
  for await (const group of readLines(bytes))
    yield group.map((line) => ({ number: line.number, row: rowOfLine(line.bytes, reading) }));
}

function rowOfLine(bytes: Buffer | null, reading: DatasetReading): Row {
  if (bytes === null) return { fault: 'is too long' };
  let value: unknown;
  try {
    value = parseJson(bytes.toString('utf8'));
  } catch {
    return { fault: 'is not valid JSON' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { fault: 'is not a JSON object' };
  return rowOf(new Map(Object.entries(value)), reading);
}

function rowOf(values: ReadonlyMap<string, unknown>, { required, optional }: DatasetReading): Row {
  const text = values.get('text');
  if (typeof text !== 'string') return { fault: 'has no string in "text"' };
  if (text.trim() === '') return { fault: 'has an empty "text"' };
  const missing = required.find((name) => !values.has(name));
  if (missing !== undefined) return { fault: `has no ${JSON.stringify(missing)}, which keep_fields names` };
  const kept = [...required, ...optional].filter((name) => values.has(name));
  return { text, fields: Object.fromEntries(kept.map((name) => [name, fieldOf(values.get(name))])) };
}

/** A value in the output's format: lists and objects as JSON. */
function fieldOf(value: unknown): FieldValue {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return value;
    default:
      return value === null || value === undefined ? null : JSON.stringify(value);
  }
}
