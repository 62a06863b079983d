import { parquetMetadata } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { parquetColumns } from './parquet-schema.ts';
import type { OutputRow, OutputShape } from './row.ts';

/** A finished part, whose bytes can be read from any position. */
export interface Part {
  size: number;
  read(offset: number, length?: number): AsyncIterable<Uint8Array>;
}

/** `PAR1`, at both ends of a file. */
const MAGIC_BYTES = 4;
/** After the footer: its length, and `PAR1`. */
const TAIL_BYTES = 8;

/** Writes rows as a Parquet file, one row group per batch. Memory is bounded by the largest batch. */
export async function* parquetPart(
  batches: AsyncIterable<readonly OutputRow[]>,
  shape: OutputShape,
): AsyncGenerator<Uint8Array> {
  const { columns, ...file } = open(shape);
  for await (const rows of batches) {
    if (rows.length === 0) continue;
    const columnData = columns.map(({ name, valueOf }) => ({
      name,
      data: rows.map(valueOf),
      offsetIndex: false,
    }));
    await file.parquet.write({ columnData, rowGroupSize: rows.length });
    yield file.drain();
  }
  await file.parquet.finish();
  yield file.drain();
}

/**
 * Joins parts with the same schema to one file: their row groups are copied byte for byte, and one footer lists them
 * all. Memory is bounded by the footers.
 */
export async function* joinParquet(
  parts: AsyncIterable<Part>,
  shape: OutputShape,
): AsyncGenerator<Uint8Array> {
  const { parquet, writer, drain } = open(shape);
  yield drain();
  for await (const part of parts) {
    const footer = await footerOf(part);
    const moved = writer.offset - MAGIC_BYTES;
    for (const group of footer.groups) {
      for (const { meta_data: chunk } of group.columns) {
        if (chunk === undefined) continue;
        chunk.data_page_offset += BigInt(moved);
        if (chunk.dictionary_page_offset !== undefined) chunk.dictionary_page_offset += BigInt(moved);
      }
      for (const column of group.columns) column.file_offset += BigInt(moved);
      parquet.row_groups.push(group);
      parquet.num_rows += group.num_rows;
    }
    const length = footer.start - MAGIC_BYTES;
    if (length > 0) yield* part.read(MAGIC_BYTES, length);
    writer.offset += length;
  }
  await parquet.finish();
  yield drain();
}

/** A file being written, and its bytes that were not passed on yet. */
function open(shape: OutputShape) {
  const { schema, keyValues, columns } = parquetColumns(shape);
  const writer = new ByteWriter();
  const parquet = new ParquetWriter({
    writer,
    schema,
    kvMetadata: keyValues,
    statistics: false,
    createdBy: 'embedmill',
  });
  const drain = (): Uint8Array => {
    const bytes = Uint8Array.from(writer.getBytes());
    writer.index = 0;
    return bytes;
  };
  return { writer, parquet, columns, drain };
}

async function footerOf(part: Part) {
  const tail = await bytesOf(part.read(part.size - TAIL_BYTES, TAIL_BYTES));
  const start = part.size - TAIL_BYTES - tail.readUInt32LE(0);
  const footer = await bytesOf(part.read(start, part.size - start));
  const bytes = footer.buffer.slice(footer.byteOffset, footer.byteOffset + footer.length) as ArrayBuffer;
  return { start, groups: parquetMetadata(bytes).row_groups };
}

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream));
}
