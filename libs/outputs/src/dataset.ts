import { createHash } from 'node:crypto';
import { vectorFormSchema, type DatasetJob } from '@embedmill/jobs';
import { AvroBytes } from './avro-bytes.ts';
import type { Part } from './parquet.ts';

/**
 * The output of an embed job, as an Avro object container file
 * (https://avro.apache.org/docs/1.12.0/specification/#object-container-files), which Cohere's client reads: one record
 * per row. Each part is one block, so a header followed by the parts is the file. Blocks end with the file's sync
 * marker, which is derived from the job's id: the same rows give the same bytes, whoever writes them.
 */
export interface DatasetFile {
  job: string;
  dataset: Pick<DatasetJob, 'fields'>;
}

/** The fields kept from a row in addition to its text. */
export type FieldValue = null | boolean | number | string;

export interface DatasetRow {
  text: string;
  /** The vector in each requested form: unchanged numbers, or bytes and bits as integers. */
  embeddings: { readonly [Form in DatasetJob['forms'][number]]?: Float32Array | readonly number[] };
  fields: { readonly [name: string]: FieldValue };
}

const FORMS = vectorFormSchema.options;
/** The branches of a field's union, in the order of the index that a value begins with. */
const KINDS = ['null', 'boolean', 'long', 'double', 'string'] as const;

/** The file's schema, in Avro's JSON. */
export function datasetSchema({ fields }: Pick<DatasetJob, 'fields'>): string {
  const vectors = FORMS.map((name) => {
    const items = name === 'float' ? 'float' : 'int';
    return { name, type: ['null', { type: 'array', items }] };
  });
  return JSON.stringify({
    type: 'record',
    name: 'row',
    fields: [
      { name: 'text', type: 'string' },
      { name: 'embeddings', type: { type: 'record', name: 'embeddings', fields: vectors } },
      ...fields.map((name) => ({ name, type: KINDS })),
    ],
  });
}

/** One part of the file; empty if there are no rows. */
export function datasetPart({ job, dataset }: DatasetFile, rows: readonly DatasetRow[]): Uint8Array {
  if (rows.length === 0) return new Uint8Array();
  const records = new AvroBytes();
  for (const row of rows) writeRow(records, row, dataset.fields);
  const block = new AvroBytes();
  block.long(rows.length);
  block.bytes(records.all());
  block.raw(markerOf(job));
  return block.all();
}

/** The whole file. */
export async function* joinDatasetParts(
  file: DatasetFile,
  parts: AsyncIterable<Part>,
): AsyncGenerator<Uint8Array> {
  const head = new AvroBytes();
  head.raw(Buffer.from('Obj\u0001', 'latin1'));
  const said = Object.entries({ 'avro.schema': datasetSchema(file.dataset), 'avro.codec': 'null' });
  head.long(said.length);
  for (const [key, value] of said) {
    head.text(key);
    head.text(value);
  }
  head.long(0);
  head.raw(markerOf(file.job));
  yield head.all();
  for await (const part of parts) yield* part.read(0);
}

function writeRow(
  bytes: AvroBytes,
  { text, embeddings, fields }: DatasetRow,
  names: readonly string[],
): void {
  bytes.text(text);
  for (const form of FORMS) {
    const vector = embeddings[form];
    bytes.long(vector === undefined ? 0 : 1);
    if (vector === undefined) continue;
    if (vector.length > 0) bytes.long(vector.length);
    if (vector instanceof Float32Array) bytes.floats(vector);
    else for (const number of vector) bytes.long(number);
    // No further items.
    bytes.long(0);
  }
  for (const name of names) writeField(bytes, fields[name] ?? null);
}

function writeField(bytes: AvroBytes, value: FieldValue): void {
  const kind = kindOf(value);
  bytes.long(KINDS.indexOf(kind));
  if (typeof value === 'boolean') bytes.raw(Uint8Array.of(value ? 1 : 0));
  else if (typeof value === 'string') bytes.text(value);
  else if (typeof value === 'number') {
    if (kind === 'long') bytes.long(value);
    else bytes.double(value);
  }
}

function kindOf(value: FieldValue): (typeof KINDS)[number] {
  if (value === null) return 'null';
  if (typeof value === 'number')
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? 'long' : 'double';
  return typeof value === 'boolean' ? 'boolean' : 'string';
}

function markerOf(job: string): Uint8Array {
  return createHash('sha256').update(job).digest().subarray(0, 16);
}
