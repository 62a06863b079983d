import { brotliDecompressSync, unzipSync, zstdDecompressSync } from 'node:zlib';
import {
  parquetMetadataAsync,
  parquetSchema,
  type AsyncBuffer,
  type ColumnMetaData,
  type Compressors,
  type FileMetaData,
  type RowGroup,
  type SchemaTree,
} from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { compressors as inScript } from 'hyparquet-compressors';
import { EmbedmillError } from '@embedmill/jobs';
import { MOST_COLUMNS } from './csv-rows.ts';
import { columnValues, type ColumnChunk } from './parquet-column.ts';
import { ValueFault } from './row-fault.ts';
import type { Table } from './table.ts';

/**
 * A Parquet file as a table, one row group at a time: its columns' chunks are read by byte ranges, checked, and only
 * then decoded. Values that cannot be decoded become faults of their rows. The file's metadata is not trusted: every
 * size and count in its page headers is first checked against the limits, so that a small file cannot demand much
 * memory. Errors: `source_unreadable`, which names the row group and the column.
 */
export const PARQUET_LIMITS = {
  /** The maximum unpacked bytes of a row group, over the columns read. */
  groupBytes: 256 * 1024 * 1024,
  /** The maximum values of a row group, including each value of lists. */
  groupValues: 4 * 1024 * 1024,
  footerBytes: 64 * 1024 * 1024,
};

/** The number of rows passed on at once. */
const ROWS_AT_ONCE = 1024;

export interface RangeReader {
  size: number;
  /** The bytes `start` to `end`. */
  read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * `wanted`: selects the columns to read; all by default. Errors: `source_unreadable` if there are too many, or one has
 * an unsupported type.
 */
export async function openParquet(
  file: RangeReader,
  wanted: (columns: readonly string[]) => readonly string[] = (columns) => columns,
): Promise<Table> {
  const metadata = await parquetMetadataAsync(limited(file, PARQUET_LIMITS.footerBytes)).catch(
    (error: unknown) => {
      throw unreadable('the file is not readable Parquet: its footer cannot be read', error);
    },
  );
  const schema = parquetSchema(metadata);
  const columns = wanted(schema.children.map(({ element }) => element.name));
  if (columns.length > MOST_COLUMNS) {
    const message = `the file has ${columns.length} columns, but at most ${MOST_COLUMNS} are supported; name the wanted ones in "columns"`;
    throw unreadable(message);
  }
  const chosen = new Set(columns);
  const [group] = metadata.row_groups;
  for (const { meta_data } of group?.columns ?? [])
    if (meta_data !== undefined && chosen.has(meta_data.path_in_schema[0] ?? '')) assertReadable(meta_data);
  return { columns, rows: rowsOf(file, metadata, schema, columns) };
}

async function* rowsOf(
  file: RangeReader,
  metadata: FileMetaData,
  schema: SchemaTree,
  columns: readonly string[],
): AsyncGenerator<unknown[][]> {
  const trees = new Map(schema.children.map((tree) => [tree.element.name, tree]));
  for (const [n, group] of metadata.row_groups.entries()) {
    const where = `row group ${n + 1}`;
    const rows = countOf(group.num_rows, `${where}: rows`);
    if (rows === 0) continue;
    const chunks = await readChunks(file, group, rows, columns, where);
    const values = columns.map((name) => {
      const tree = trees.get(name);
      return tree === undefined ? [] : columnValues(tree, chunks.get(name) ?? [], schema, rows, COMPRESSORS);
    });
    for (let from = 0; from < rows; from += ROWS_AT_ONCE) {
      const length = Math.min(ROWS_AT_ONCE, rows - from);
      yield Array.from({ length }, (_, row) => values.map((column) => column[from + row]));
    }
  }
}

/** The row group's chunks by column. An invalid location is only the fault of its rows. */
async function readChunks(
  file: RangeReader,
  group: RowGroup,
  rows: number,
  columns: readonly string[],
  where: string,
): Promise<Map<string, ColumnChunk[]>> {
  const wanted = new Set(columns);
  const chosen = group.columns.flatMap(({ meta_data: metadata, file_path: elsewhere }) => {
    if (metadata === undefined || (elsewhere !== undefined && elsewhere !== ''))
      throw unreadable(`${where}: a column lies in another file`);
    return wanted.has(metadata.path_in_schema[0] ?? '') ? [metadata] : [];
  });
  const stored = chosen.reduce((sum, { total_compressed_size: size }) => sum + Number(size), 0);
  if (stored > PARQUET_LIMITS.groupBytes || rows > PARQUET_LIMITS.groupValues)
    throw tooLarge(where, stored, rows);
  const chunks = new Map<string, ColumnChunk[]>(columns.map((name) => [name, []]));
  let unpacked = 0;
  for (const metadata of chosen) {
    const [name = ''] = metadata.path_in_schema;
    const at = `${where}, column ${JSON.stringify(metadata.path_in_schema.join('.'))}`;
    let bytes: ColumnChunk['bytes'];
    try {
      const { start, end } = rangeOf(metadata, file.size, at);
      const read = await file.read(start, end);
      unpacked += lookThrough(read, at, rows);
      bytes = read;
    } catch (error) {
      if (!(error instanceof BrokenChunk)) throw error;
      bytes = new ValueFault(error.message);
    }
    if (unpacked > PARQUET_LIMITS.groupBytes) throw tooLarge(where, unpacked, rows);
    chunks.get(name)?.push({ metadata, bytes });
  }
  return chunks;
}

/** The fault in one column's bytes in one row group. */
class BrokenChunk extends Error {}

/** Reads a chunk's page headers, and returns the unpacked size of its pages. */
function lookThrough(bytes: Uint8Array<ArrayBuffer>, where: string, rows: number): number {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 };
  let unpacked = 0;
  let values = 0;
  while (reader.offset < bytes.length - 1) {
    let header: ReturnType<typeof parquetHeader>;
    try {
      header = parquetHeader(reader);
    } catch (error) {
      throw new BrokenChunk(`a page's header cannot be read: ${String(error)}`);
    }
    const { data_page_header: v1, data_page_header_v2: v2, dictionary_page_header: dictionary } = header;
    unpacked += placeOf(header.uncompressed_page_size, 'a page’s size');
    values += placeOf(v1?.num_values ?? v2?.num_values ?? dictionary?.num_values ?? 0, 'a page’s values');
    if (v2 !== undefined) {
      placeOf(v2.num_nulls, 'a page’s nulls');
      placeOf(v2.num_rows, 'a page’s rows');
    }
    reader.offset += placeOf(header.compressed_page_size, 'a page’s size');
    if (reader.offset > bytes.length) throw new BrokenChunk('a page goes beyond its chunk');
    if (unpacked > PARQUET_LIMITS.groupBytes) throw tooLarge(where, unpacked, rows);
    // A dictionary has at most as many values again.
    if (values > 2 * PARQUET_LIMITS.groupValues) throw tooLarge(where, unpacked, values);
  }
  return unpacked;
}

function rangeOf(chunk: ColumnMetaData, size: number, at: string): { start: number; end: number } {
  const data = placeOf(chunk.data_page_offset, `${at}: its offset`);
  const dictionary = placeOf(chunk.dictionary_page_offset ?? 0n, `${at}: its dictionary's offset`);
  const start = dictionary > 0 && dictionary < data ? dictionary : data;
  const end = start + placeOf(chunk.total_compressed_size, `${at}: its size`);
  if (end > size) throw new BrokenChunk(`${at} ends at byte ${end} of a file of ${size}`);
  return { start, end };
}

/** Errors: `source_unreadable`, which names the column, if its type is unsupported. */
function assertReadable({ path_in_schema, type, codec, encodings }: ColumnMetaData): void {
  const isPacked = codec !== 'UNCOMPRESSED' && codec !== 'SNAPPY' && COMPRESSORS[codec] === undefined;
  const strange: string | undefined = isPacked
    ? `packing ${String(codec)}`
    : type === undefined || encodings.includes(undefined as never)
      ? 'type or encoding'
      : undefined;
  if (strange === undefined) return;
  const name = JSON.stringify(path_in_schema.join('.'));
  throw unreadable(
    `the column ${name} has a ${strange} that is not supported; name the wanted columns in "columns", without it`,
  );
}

/** Reads at most `most` bytes at once, all within the file. */
function limited(file: RangeReader, most: number): AsyncBuffer {
  return {
    byteLength: file.size,
    async slice(start, end = file.size) {
      if (start < 0 || end > file.size || end - start > most)
        throw new RangeError(`bytes ${start} to ${end} of ${file.size} are asked for`);
      const bytes = await file.read(start, end);
      return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    },
  };
}

function countOf(value: bigint | number, what: string): number {
  const count = Number(value);
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw unreadable(`${what} cannot be ${value}`);
}

function placeOf(value: bigint | number, what: string): number {
  const count = Number(value);
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new BrokenChunk(`${what} cannot be ${value}`);
}

/** Node's own decompressors where available, because they stop at the announced length. */
const COMPRESSORS: Compressors = {
  ...inScript,
  GZIP: (input, length) => unzipSync(input, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
  ZSTD: (input, length) => zstdDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
};

function tooLarge(where: string, bytes: number, rows: number): EmbedmillError {
  const { groupBytes, groupValues } = PARQUET_LIMITS;
  const message = `${where} has ${bytes} bytes and ${rows} rows or values, but at most ${groupBytes} and ${groupValues} are read at once; write the file with smaller row groups, or name fewer columns`;
  return new EmbedmillError('source_unreadable', message);
}

function unreadable(what: string, error?: unknown): EmbedmillError {
  if (error instanceof EmbedmillError) return error;
  const why = error === undefined ? '' : `: ${error instanceof Error ? error.message : String(error)}`;
  return new EmbedmillError('source_unreadable', `${what}${why}`, { cause: error });
}
