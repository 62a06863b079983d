import { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { EmbedmillError } from '@embedmill/jobs';
import { MAX_LINE_BYTES } from './lines.ts';
import type { Table } from './table.ts';

/**
 * A CSV file as a table (RFC 4180; UTF-8, with or without a byte order mark; the first row has the columns' names).
 * Memory is bounded by the longest row. Errors: `source_unreadable` that names the row (the first below the names is
 * 1) and, where there is one, the column.
 */
export async function openCsv(bytes: AsyncIterable<Uint8Array>): Promise<Table> {
  const records = recordsOf(bytes);
  const { value: columns, done } = await records.next();
  if (done === true) return { columns: [], rows: records };
  return { columns: columns.map((name) => name.trim()), rows: rowsOf(records, columns) };
}

async function* rowsOf(
  records: AsyncIterable<string[]>,
  columns: readonly string[],
): AsyncGenerator<string[]> {
  let row = 0;
  for await (const record of records) {
    row += 1;
    if (record.length !== columns.length) {
      const message = `row ${row} has ${record.length} fields where there are ${columns.length} columns; is a text with a comma or a line end not in quotes?`;
      throw new EmbedmillError('source_unreadable', message);
    }
    yield record;
  }
}

async function* recordsOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string[]> {
  const text = Readable.from(decoded(bytes));
  const parser = parse({ relax_column_count: true, skip_empty_lines: true, max_record_size: MAX_LINE_BYTES });
  text.on('error', (error) => parser.destroy(error));
  text.pipe(parser);
  try {
    for await (const record of parser) yield record as string[];
  } catch (error) {
    throw error instanceof CsvError ? malformed(error) : error;
  } finally {
    text.destroy();
  }
}

async function* decoded(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let read = 0;
  for await (const chunk of bytes) {
    yield decode(chunk);
    read += chunk.length;
  }
  yield decode(undefined);

  function decode(chunk: Uint8Array | undefined): string {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch (error) {
      const message = `the CSV is not valid UTF-8, soon after byte ${read}; re-encode the file`;
      throw new EmbedmillError('source_unreadable', message, { cause: error });
    }
  }
}

function malformed(error: CsvError): EmbedmillError {
  const { records, column } = error as CsvError & { records?: number; column?: number | string };
  const where = `row ${records ?? '?'}${column === undefined ? '' : `, column ${Number(column) + 1}`}`;
  switch (error.code) {
    case 'CSV_MAX_RECORD_SIZE': {
      const message = `${where} is longer than ${MAX_LINE_BYTES} bytes; is a quote missing?`;
      return new EmbedmillError('source_unreadable', message, { cause: error });
    }
    case 'CSV_QUOTE_NOT_CLOSED': {
      const message = `${where} begins with a quote that never ends`;
      return new EmbedmillError('source_unreadable', message, { cause: error });
    }
    default: {
      const message = `${where} is no valid CSV: ${error.message}`;
      return new EmbedmillError('source_unreadable', message, { cause: error });
    }
  }
}
