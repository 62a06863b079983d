import { hash } from 'node:crypto';
import type { Collection, FilterableType, Scalar } from '@embedmill/jobs';
import type { ZVecCollectionSchema, ZVecDocInput, ZVecFieldSchema } from '@zvec/zvec';
import { valuesAt, type Target } from '../condition.ts';
import { keyText } from '../replacement.ts';
import type { DocumentKey, Point } from '../store.ts';
import type { Zvec } from './native.ts';

/**
 * How a point lies in zvec. Its payload is one JSON text; what is looked up or filtered by stands beside it in
 * columns of its own. Texts to filter by are stored as digests: they are compared for equality only, and a
 * digest needs no escaping in a filter expression (zvec's has no way to write every text).
 *
 * Only DOCUMENT and TENANT have an index, and an expression may join them to the rest by "and" only: zvec 0.7.0 crashes
 * the process on an "or" between columns with and without an index. The others are scanned, as the vectors are; an index
 * on each would also make sealing a segment slower by some 10 ms.
 */
export const VECTOR = 'dense';
export const PAYLOAD = 'payload';
export const DOCUMENT = 'document';
export const TENANT = 'tenant';
export const CHUNK_INDEX = 'chunk_index';
export const CHUNK_COUNT = 'chunk_count';
export const FINGERPRINT = 'fingerprint';
export const JOB_ID = 'job_id';
const DOCUMENT_ID = 'document_id';

/**
 * The columns of something to filter by: its values as a list, and of what has an order the least and the
 * greatest, because zvec compares no lists. `several` is 1 where there is
 * more than one value (no boolean: zvec joins comparisons of one to what it then refuses).
 */
export interface FilterColumns {
  values: string;
  least: string;
  greatest: string;
  several: string;
}

/** Finds the columns of a target; fields have numbers here, so that no name clashes with a word of zvec's. */
export type ColumnsOf = (target: Target) => FilterColumns;

export function columnsOf(collection: Collection): ColumnsOf {
  const fields = filterFields(collection);
  return (target) => {
    const name = target.kind === 'document_id' ? DOCUMENT_ID : `f${fields.indexOf(target.field)}`;
    return { values: name, least: `${name}_least`, greatest: `${name}_greatest`, several: `${name}_several` };
  };
}

/** The digest that stands for a text: 132 bits of its SHA-256, of letters, digits, "-" and "_". */
export function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}

export function documentDigest(key: DocumentKey): string {
  return digest(keyText(key));
}

/** A value as its column holds it. */
export function columnValue(value: Scalar): Scalar {
  return typeof value === 'string' ? digest(value) : value;
}

export function schemaOf(zvec: Zvec, collection: Collection): ZVecCollectionSchema {
  const { ZVecCollectionSchema, ZVecDataType: Type, ZVecIndexType, ZVecMetricType } = zvec;
  const indexed = { indexParams: { indexType: ZVecIndexType.INVERT } };
  const fields: ZVecFieldSchema[] = [
    { name: PAYLOAD, dataType: Type.STRING },
    { name: DOCUMENT, dataType: Type.STRING, ...indexed },
    { name: TENANT, dataType: Type.STRING, ...indexed },
    { name: CHUNK_INDEX, dataType: Type.INT64 },
    { name: CHUNK_COUNT, dataType: Type.INT64 },
    { name: FINGERPRINT, dataType: Type.STRING },
    { name: JOB_ID, dataType: Type.STRING },
  ];
  const find = columnsOf(collection);
  for (const target of filterTargets(collection)) {
    const columns = find(target);
    const types = columnTypes(zvec, target.type);
    fields.push({ name: columns.values, dataType: types.list, nullable: true });
    if (types.ordered === undefined) continue;
    fields.push({ name: columns.least, dataType: types.ordered, nullable: true });
    fields.push({ name: columns.greatest, dataType: types.ordered, nullable: true });
    fields.push({ name: columns.several, dataType: Type.INT32, nullable: true });
  }
  return new ZVecCollectionSchema({
    name: 'points',
    vectors: {
      name: VECTOR,
      dataType: Type.VECTOR_FP32,
      dimension: collection.dims,
      indexParams: { indexType: ZVecIndexType.FLAT, metricType: ZVecMetricType.COSINE },
    },
    fields,
  });
}

export function rowOf(collection: Collection): (point: Point) => ZVecDocInput {
  const find = columnsOf(collection);
  const targets = filterTargets(collection);
  // One tenant's documents mostly come together.
  let tenant: { name: string; digest: string } | undefined;
  return ({ id, dense, payload, payloadText = JSON.stringify(payload) }) => {
    if (tenant?.name !== payload.tenant) tenant = { name: payload.tenant, digest: digest(payload.tenant) };
    const fields: Record<string, Scalar | Scalar[]> = {
      [PAYLOAD]: payloadText,
      [DOCUMENT]: documentDigest({ tenant: payload.tenant, id: payload.document_id }),
      [TENANT]: tenant.digest,
      [CHUNK_INDEX]: payload.chunk_index,
      [CHUNK_COUNT]: payload.chunk_count,
      [FINGERPRINT]: payload.fingerprint,
      [JOB_ID]: payload.job_id,
    };
    for (const target of targets) {
      // A column without a value is null. An empty list would be neither null nor comparable.
      const values = valuesAt(target, payload);
      if (values.length === 0) continue;
      const columns = find(target);
      fields[columns.values] = values.map(columnValue);
      const numbers = values.filter((value) => typeof value === 'number');
      if (numbers.length === 0) continue;
      fields[columns.least] = numbers.reduce((a, b) => Math.min(a, b));
      fields[columns.greatest] = numbers.reduce((a, b) => Math.max(a, b));
      if (numbers.length > 1) fields[columns.several] = 1;
    }
    return { id, vectors: { [VECTOR]: dense }, fields };
  };
}

function filterFields(collection: Collection): string[] {
  return Object.keys(collection.profile.filterable).toSorted();
}

function filterTargets(collection: Collection): Target[] {
  const { filterable } = collection.profile;
  const fields = filterFields(collection).flatMap((field): Target[] => {
    const type = filterable[field];
    return type === undefined ? [] : [{ kind: 'metadata', field, type }];
  });
  return [{ kind: 'document_id', type: 'keyword' }, ...fields];
}

function columnTypes({ ZVecDataType: Type }: Zvec, type: FilterableType) {
  switch (type) {
    case 'keyword':
      return { list: Type.ARRAY_STRING, ordered: undefined };
    case 'boolean':
      return { list: Type.ARRAY_BOOL, ordered: undefined };
    case 'integer':
    case 'datetime':
      return { list: Type.ARRAY_INT64, ordered: Type.INT64 };
    case 'float':
      return { list: Type.ARRAY_DOUBLE, ordered: Type.DOUBLE };
  }
}
