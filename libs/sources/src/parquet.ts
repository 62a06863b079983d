import { brotliDecompressSync, unzipSync, zstdDecompressSync } from 'node:zlib';
import {
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type AsyncBuffer,
  type ColumnChunk,
  type Compressors,
  type FileMetaData,
  type RowGroup,
} from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { compressors as inScript } from 'hyparquet-compressors';
import { EmbedmillError } from '@embedmill/jobs';
import type { Table } from './table.ts';

/**
 * A Parquet file as a table, a row group at a time: its columns' chunks are read by byte ranges, looked through, and
 * only then decoded. What a file says of itself is not believed: every size and count in its pages' headers is held
 * against the limits first, so that a small file cannot ask for a large memory. Errors: `source_unreadable`, that names
 * the row group and the column.
 */
export const PARQUET_LIMITS = {
  /** Of a row group, unpacked, over the columns that are read. */
  groupBytes: 256 * 1024 * 1024,
  /** Of a row group; lists count each of their values. */
  groupValues: 4 * 1024 * 1024,
  footerBytes: 64 * 1024 * 1024,
};

export interface RangeReader {
  size: number;
  /** The bytes `start` to `end`. */
  read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** `wanted`: the columns to read, of those there are; all by default. */
export async function openParquet(
  file: RangeReader,
  wanted: (columns: readonly string[]) => readonly string[] = (columns) => columns,
): Promise<Table> {
  const metadata = await parquetMetadataAsync(limited(file, PARQUET_LIMITS.footerBytes)).catch(
    (error: unknown) => {
      throw unreadable('the file is no readable Parquet', error);
    },
  );
  const there = parquetSchema(metadata).children.map(({ element }) => element.name);
  const columns = wanted(there);
  return { columns, rows: rowsOf(file, metadata, columns) };
}

async function* rowsOf(
  file: RangeReader,
  metadata: FileMetaData,
  columns: readonly string[],
): AsyncGenerator<unknown[]> {
  let rowStart = 0;
  for (const [n, group] of metadata.row_groups.entries()) {
    const where = `row group ${n + 1}`;
    const rows = countOf(group.num_rows, `${where}: rows`);
    if (rows === 0) continue;
    const chunks = await readChunks(file, group, rows, columns, where);
    const objects = await parquetReadObjects({
      ...{ file: chunks, metadata, columns: [...columns], compressors: COMPRESSORS, parsers: PARSERS },
      ...{ rowStart, rowEnd: rowStart + rows },
    }).catch((error: unknown) => {
      throw unreadable(`${where} (rows ${rowStart + 1} to ${rowStart + rows}) cannot be decoded`, error);
    });
    if (objects.length !== rows)
      throw unreadable(`${where} says that it has ${rows} rows, and has ${objects.length}`);
    for (const object of objects) yield columns.map((name) => object[name] as unknown);
    rowStart += rows;
  }
}

/** The row group's chunks in memory, as the part of the file that they are. */
async function readChunks(
  file: RangeReader,
  group: RowGroup,
  rows: number,
  columns: readonly string[],
  where: string,
): Promise<AsyncBuffer> {
  const chosen = group.columns.filter(({ meta_data }) =>
    columns.includes(meta_data?.path_in_schema[0] ?? ''),
  );
  const ranges = chosen.map((chunk) => rangeOf(chunk, file.size, where));
  const stored = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  if (stored > PARQUET_LIMITS.groupBytes || rows > PARQUET_LIMITS.groupValues)
    throw tooLarge(where, stored, rows);
  const held: { start: number; bytes: Uint8Array<ArrayBuffer> }[] = [];
  let unpacked = 0;
  for (const { start, end, name } of ranges) {
    const bytes = await file.read(start, end);
    unpacked += lookThrough(bytes, `${where}, column ${JSON.stringify(name)}`);
    if (unpacked > PARQUET_LIMITS.groupBytes) throw tooLarge(where, unpacked, rows);
    held.push({ start, bytes });
  }
  return {
    byteLength: file.size,
    slice(from: number, to = file.size): ArrayBuffer {
      const part = new Uint8Array(to - from);
      for (const { start, bytes } of held) {
        const [first, last] = [Math.max(from, start), Math.min(to, start + bytes.length)];
        if (first < last) part.set(bytes.subarray(first - start, last - start), first - from);
      }
      return part.buffer;
    },
  };
}

/** Reads a chunk's page headers, and gives the bytes that its pages unpack to. */
function lookThrough(bytes: Uint8Array<ArrayBuffer>, where: string): number {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 };
  let unpacked = 0;
  let values = 0;
  while (reader.offset < bytes.length - 1) {
    let header: ReturnType<typeof parquetHeader>;
    try {
      header = parquetHeader(reader);
    } catch (error) {
      throw unreadable(`${where}: a page's header is not readable`, error);
    }
    const { data_page_header: v1, data_page_header_v2: v2, dictionary_page_header: dictionary } = header;
    unpacked += countOf(header.uncompressed_page_size, `${where}: a page's size`);
    values += countOf(
      v1?.num_values ?? v2?.num_values ?? dictionary?.num_values ?? 0,
      `${where}: a page's values`,
    );
    if (v2 !== undefined) {
      countOf(v2.num_nulls, `${where}: a page's nulls`);
      countOf(v2.num_rows, `${where}: a page's rows`);
    }
    reader.offset += countOf(header.compressed_page_size, `${where}: a page's size`);
    if (reader.offset > bytes.length) throw unreadable(`${where}: a page goes beyond its chunk`);
    if (unpacked > PARQUET_LIMITS.groupBytes) throw tooLarge(where, unpacked, 0);
    // A dictionary has as many again at most.
    if (values > 2 * PARQUET_LIMITS.groupValues) throw tooLarge(where, unpacked, values);
  }
  return unpacked;
}

function rangeOf({ meta_data: chunk, file_path: elsewhere }: ColumnChunk, size: number, where: string) {
  if (chunk === undefined || (elsewhere !== undefined && elsewhere !== ''))
    throw unreadable(`${where}: a column lies in another file`);
  const name = chunk.path_in_schema.join('.');
  const at = `${where}, column ${JSON.stringify(name)}`;
  const data = countOf(chunk.data_page_offset, `${at}: its offset`);
  const dictionary = countOf(chunk.dictionary_page_offset ?? 0n, `${at}: its dictionary's offset`);
  const start = dictionary > 0 && dictionary < data ? dictionary : data;
  const end = start + countOf(chunk.total_compressed_size, `${at}: its size`);
  if (end > size) throw unreadable(`${at} ends at byte ${end} of a file of ${size}`);
  return { name, start, end };
}

/** Reads no more at once than `most` bytes, all of them within the file. */
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

/** Node's own where it has one: they stop at the length that was announced. */
const COMPRESSORS: Compressors = {
  ...inScript,
  GZIP: (input, length) => unzipSync(input, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
  ZSTD: (input, length) => zstdDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
};

const PARSERS = {
  dateFromDays: (days: number) => new Date(days * 86_400_000).toISOString().slice(0, 10),
};

function tooLarge(where: string, bytes: number, rows: number): EmbedmillError {
  const { groupBytes, groupValues } = PARQUET_LIMITS;
  const message = `${where} has ${bytes} bytes and ${rows} rows or values, where ${groupBytes} and ${groupValues} are read at once; write the file with smaller row groups, or name fewer columns`;
  return new EmbedmillError('source_unreadable', message);
}

function unreadable(what: string, error?: unknown): EmbedmillError {
  if (error instanceof EmbedmillError) return error;
  const why = error === undefined ? '' : `: ${error instanceof Error ? error.message : String(error)}`;
  return new EmbedmillError('source_unreadable', `${what}${why}`, { cause: error });
}
