import type { ColumnMetaData, Compressors, DecodedArray, SchemaTree } from 'hyparquet';
import { assembleNested } from 'hyparquet/src/assemble.js';
import { parquetHeader, readColumn } from 'hyparquet/src/column.js';
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { getMaxRepetitionLevel, getTreePath } from 'hyparquet/src/schema.js';
import { ValueFault } from './row-fault.ts';
import { VALUE_PARSERS, valueReadingOf } from './parquet-values.ts';

/** The bytes of one leaf of a column in a row group, or why they are missing. */
export interface ColumnChunk {
  metadata: ColumnMetaData;
  bytes: Uint8Array<ArrayBuffer> | ValueFault;
}

/**
 * A column's values in one row group, one per row; a value that cannot be decoded is replaced by the reason. A broken
 * page costs only its own rows, but for lists and structures, whose pages do not say which rows they contain, it costs
 * the whole row group.
 *
 * @param chunks of its leaves; a flat column has one
 */
export function columnValues(
  column: SchemaTree,
  chunks: ColumnChunk[],
  schema: SchemaTree,
  rows: number,
  compressors: Compressors,
): ArrayLike<unknown> {
  const broken = (error: unknown) => faults(rows, error);
  try {
    const leaves = chunks.map(({ metadata, bytes }) => {
      if (bytes instanceof ValueFault) throw bytes;
      return { metadata, bytes, decoder: decoderOf(metadata, schema, compressors) };
    });
    const [leaf] = leaves;
    if (leaf === undefined) return new Array<unknown>(rows).fill(null);
    if (column.children.length === 0) {
      try {
        return whole(decoded(leaf.bytes, leaf.decoder, rows), rows);
      } catch (error) {
        if (getMaxRepetitionLevel(leaf.decoder.schemaPath) > 0) throw error;
        return pageByPage(leaf.bytes, leaf.decoder, rows);
      }
    }
    const parts = new Map<string, DecodedArray>();
    for (const { metadata, bytes, decoder } of leaves)
      parts.set(metadata.path_in_schema.join('.'), decoded(bytes, decoder, rows) as DecodedArray);
    assembleNested(parts, column, { ...DEFAULT_PARSERS, ...VALUE_PARSERS });
    return whole(parts.get(column.path.join('.')) ?? [], rows);
  } catch (error) {
    return broken(error);
  }
}

type Decoder = ReturnType<typeof decoderOf>;

function decoderOf(metadata: ColumnMetaData, schema: SchemaTree, compressors: Compressors) {
  const { path_in_schema: pathInSchema, type, codec } = metadata;
  const schemaPath = getTreePath(schema, pathInSchema);
  const { element, parsers } = valueReadingOf(schemaPath.at(-1)?.element ?? schema.element);
  return {
    pathInSchema,
    type,
    codec,
    element,
    schemaPath,
    parsers: { ...DEFAULT_PARSERS, ...parsers },
    compressors,
    utf8: false,
  };
}

function decoded(bytes: Uint8Array<ArrayBuffer>, decoder: Decoder, rows: number): ArrayLike<unknown> {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 };
  const select = { groupStart: 0, selectStart: 0, selectEnd: rows, groupRows: rows };
  const { data } = readColumn(reader, select, decoder);
  const [only] = data;
  if (only !== undefined && data.length === 1) return only;
  return data.flatMap((page) => Array.from(page as ArrayLike<unknown>));
}

/** Each of a flat column's pages separately, preceded by its dictionary. */
function pageByPage(bytes: Uint8Array<ArrayBuffer>, decoder: Decoder, rows: number): unknown[] {
  const values: unknown[] = [];
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 };
  let dictionary = new Uint8Array(0);
  while (reader.offset < bytes.length - 1 && values.length < rows) {
    const start = reader.offset;
    const header = parquetHeader(reader);
    reader.offset += header.compressed_page_size;
    const page = bytes.subarray(start, reader.offset);
    if (header.dictionary_page_header !== undefined) {
      dictionary = page;
      continue;
    }
    const count = header.data_page_header?.num_values ?? header.data_page_header_v2?.num_values ?? 0;
    let decodedPage: ArrayLike<unknown>;
    try {
      decodedPage = whole(decoded(Uint8Array.from(Buffer.concat([dictionary, page])), decoder, count), count);
    } catch (error) {
      decodedPage = faults(count, error);
    }
    for (let n = 0; n < decodedPage.length; n += 1) values.push(decodedPage[n]);
  }
  return values.length === rows
    ? values
    : faults(rows, new RangeError(`it has ${values.length} values for ${rows} rows`));
}

function whole(values: ArrayLike<unknown>, rows: number): ArrayLike<unknown> {
  if (values.length === rows) return values;
  throw new RangeError(`it has ${values.length} values for ${rows} rows`);
}

function faults(rows: number, error: unknown): ValueFault[] {
  const why = error instanceof Error ? error.message : String(error);
  const fault =
    error instanceof ValueFault ? error : new ValueFault(`it cannot be decoded: ${why.slice(0, 300)}`);
  return new Array<ValueFault>(rows).fill(fault);
}
