import {
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  Schema,
  Struct,
  Table,
  Utf8,
} from 'apache-arrow';
import { tableToIPC, type DataType } from 'apache-arrow';
import type { KeyValue, SchemaElement } from 'hyparquet';
import type { OutputRow, OutputShape } from './row.ts';

/** One column of a Parquet output: its definition in Parquet and Arrow, and how to get a row's value. */
interface Column {
  elements: SchemaElement[];
  arrow: Field;
  valueOf: (row: OutputRow) => unknown;
}

export interface ParquetColumns {
  schema: SchemaElement[];
  /** States that the lists of `dense` columns have a fixed size, which Parquet's own schema cannot. */
  keyValues: KeyValue[];
  columns: { name: string; valueOf: (row: OutputRow) => unknown }[];
}

/**
 * The columns of an output. A dense vector is a list of floats that Arrow reads as one of fixed size, a sparse one a
 * struct of `indices` and `values`; metadata and structure are JSON.
 * Format: https://parquet.apache.org/docs/file-format/ and, for the key `ARROW:schema`, Arrow's Parquet writers.
 */
export function parquetColumns(shape: OutputShape): ParquetColumns {
  const columns = columnsOf(shape);
  const root: SchemaElement = { name: 'schema', num_children: columns.length };
  const arrow = new Schema(columns.map((column) => column.arrow));
  const serialized = Buffer.from(tableToIPC(new Table(arrow), 'stream')).toString('base64');
  return {
    schema: [root, ...columns.flatMap(({ elements }) => elements)],
    keyValues: [{ key: 'ARROW:schema', value: serialized }],
    columns: columns.map(({ arrow: { name }, valueOf }) => ({ name, valueOf })),
  };
}

function columnsOf(shape: OutputShape): Column[] {
  const document = [
    text('id', ({ id }) => id),
    text('tenant', ({ tenant }) => tenant),
    optionalText('title', ({ title }) => title),
    text('text', (row) => row.text),
    optionalText('image', ({ image }) => image),
    optionalText('source', ({ source }) => source),
    text('metadata', ({ metadata }) => JSON.stringify(metadata)),
  ];
  const structure = optionalText('structure', (row) =>
    row.structure === undefined ? null : JSON.stringify(row.structure),
  );
  if (shape.rows === 'documents') return [...document, structure];
  return [
    ...document,
    ...(shape.structure ? [structure] : []),
    integer('chunk', ({ point }) => point?.chunk),
    integer('chunks', ({ point }) => point?.chunks),
    integer('start', ({ point }) => point?.start),
    integer('end', ({ point }) => point?.end),
    seconds('timestamp', ({ point }) => point?.timestamp),
    ...shape.dense.map(({ name, dims }) => dense(name, dims, ({ point }) => point?.dense[name])),
    ...shape.sparse.map((scheme) => sparse(scheme, ({ point }) => point?.sparse[scheme])),
  ];
}

const UTF8 = { type: 'BYTE_ARRAY', converted_type: 'UTF8' } as const;

function text(name: string, valueOf: (row: OutputRow) => string): Column {
  return {
    elements: [{ name, repetition_type: 'REQUIRED', ...UTF8 }],
    arrow: new Field(name, new Utf8(), false),
    valueOf,
  };
}

function optionalText(name: string, valueOf: (row: OutputRow) => string | null): Column {
  return {
    elements: [{ name, repetition_type: 'OPTIONAL', ...UTF8 }],
    arrow: new Field(name, new Utf8(), true),
    valueOf,
  };
}

function integer(name: string, valueOf: (row: OutputRow) => number | undefined): Column {
  return {
    elements: [{ name, repetition_type: 'REQUIRED', type: 'INT32' }],
    arrow: new Field(name, new Int32(), false),
    valueOf,
  };
}

function seconds(name: string, valueOf: (row: OutputRow) => number | null | undefined): Column {
  return {
    elements: [{ name, repetition_type: 'OPTIONAL', type: 'DOUBLE' }],
    arrow: new Field(name, new Float64(), true),
    valueOf: (row) => valueOf(row) ?? null,
  };
}

function dense(name: string, dims: number, valueOf: (row: OutputRow) => Float32Array | undefined): Column {
  return {
    elements: listOf(name, 'OPTIONAL', 'FLOAT'),
    arrow: new Field(name, new FixedSizeList(dims, new Field('element', new Float32(), false)), true),
    valueOf: (row) => {
      const vector = valueOf(row);
      return vector === undefined ? null : Array.from(vector);
    },
  };
}

function sparse(
  name: string,
  valueOf: (row: OutputRow) => { indices: Uint32Array; values: Float32Array } | undefined,
): Column {
  const lists: DataType[] = [
    new List(new Field('element', new Int64(), false)),
    new List(new Field('element', new Float32(), false)),
  ];
  const fields = lists.map((type, n) => new Field(n === 0 ? 'indices' : 'values', type, false));
  return {
    elements: [
      { name, repetition_type: 'OPTIONAL', num_children: 2 },
      ...listOf('indices', 'REQUIRED', 'INT64'),
      ...listOf('values', 'REQUIRED', 'FLOAT'),
    ],
    arrow: new Field(name, new Struct(fields), true),
    valueOf: (row) => {
      const vector = valueOf(row);
      if (vector === undefined) return null;
      return { indices: Array.from(vector.indices, BigInt), values: Array.from(vector.values) };
    },
  };
}

/** A list of non-null elements, in the three levels that the format requires. */
function listOf(name: string, repetition: 'REQUIRED' | 'OPTIONAL', type: 'FLOAT' | 'INT64'): SchemaElement[] {
  return [
    { name, repetition_type: repetition, num_children: 1, converted_type: 'LIST' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', repetition_type: 'REQUIRED', type },
  ];
}
