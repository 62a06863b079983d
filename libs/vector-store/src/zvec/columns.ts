import { hash } from 'node:crypto';
import {
  profileAsCreated,
  WITH_IDF,
  type Collection,
  type FilterableType,
  type GeoPoint,
  type Scalar,
  type SparseScheme,
} from '@embedmill/jobs';
import type { ZVecCollectionSchema, ZVecDocInput, ZVecFieldSchema, ZVecVector } from '@zvec/zvec';
import { sparseSchemes } from '../collections.ts';
import { placesAt, valuesAt, type Target } from '../condition.ts';
import { keyText } from '../replacement.ts';
import { wordsIn } from '../words.ts';
import type { DocumentKey, Point, PointPayload } from '../store.ts';
import type { Zvec } from './native.ts';
import { sparseRow, termsText } from './sparse-columns.ts';

/**
 * How a point is stored in zvec. Its payload is one JSON text; data for look-ups and filters is in separate columns.
 * Texts to filter by are stored as digests: they are only compared for equality, and a digest needs no escaping in a
 * filter expression (zvec's language cannot express every text).
 *
 * A table has one dense vector, because zvec cannot add one to an existing table: see ZvecTable. Sparse vectors are
 * named by their schemes; those that need document frequencies also have their terms in a column, which is read ten
 * times as fast as the vectors.
 *
 * Only DOCUMENT and TENANT have an index, and an expression may combine them with the rest only by "and": zvec 0.7.0
 * crashes the process on an "or" between columns with and without an index. The other columns are scanned, like the
 * vectors; each further index would slow down sealing a segment by about 10 ms.
 */
export const VECTOR = 'dense';
export const PAYLOAD = 'payload';
export const DOCUMENT = 'document';
export const TENANT = 'tenant';
export const CHUNK_INDEX = 'chunk_index';
export const CHUNK_COUNT = 'chunk_count';
export const FINGERPRINT = 'fingerprint';
export const JOB_ID = 'job_id';
export const SEQUENCE = 'sequence';
/** For chunk 0: the sequence of a submission that found the document unchanged. */
export const CONFIRMED = 'confirmed';

/**
 * The columns of a filter target: its values as a list, and for ordered types the smallest and the largest value,
 * because zvec cannot compare lists. `several` is 1 if there is more than one value (not a boolean, because zvec merges
 * comparisons of booleans into an expression that it then refuses). The values of a text are its words. A place has no
 * list, but the other two columns for both latitude and longitude.
 *
 * zvec cannot add lists to an existing table. So the values of a field that was added later are in the list of the
 * document's id, as digests that include the field's name, with one more digest that states that there is a value.
 */
export interface FilterColumns {
  values: string;
  least: string;
  greatest: string;
  several: string;
  /** A value as stored in the list. */
  hold: (value: Scalar) => Scalar;
  /** The list entry that marks a value; undefined if the list is null without a value. */
  isThere: string | undefined;
}

/** Finds the columns of a target; fields are numbered here, so that no name clashes with a keyword of zvec. */
export type ColumnsOf = (target: Target) => FilterColumns;

export function columnsOf(collection: Collection): ColumnsOf {
  const created = createdFields(collection);
  const { addedFields = [] } = collection;
  return (target) => {
    if (target.kind === 'document_id') return named(ID_VALUES, ID_VALUES);
    const { field } = target;
    const at = addedFields.indexOf(field);
    if (at === -1) {
      const name = `f${created.indexOf(field)}`;
      return named(name, name);
    }
    return {
      ...named(`a${at}`, ID_VALUES),
      // Ids never contain a NUL.
      hold: (value) => digest(`\0${field}\0${JSON.stringify(value)}`),
      isThere: digest(`\0${field}`),
    };
  };
}

/** The list of the document's id, with one value. */
const ID_VALUES = 'document_id';

function named(name: string, values: string): FilterColumns {
  return {
    values,
    least: `${name}_least`,
    greatest: `${name}_greatest`,
    several: `${name}_several`,
    hold: columnValue,
    isThere: undefined,
  };
}

/** The digest of a text: 132 bits of its SHA-256, as letters, digits, "-" and "_". */
export function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}

export function documentDigest(key: DocumentKey): string {
  return digest(keyText(key));
}

/** A value as stored in its own column. */
function columnValue(value: Scalar): Scalar {
  return typeof value === 'string' ? digest(value) : value;
}

/** The column of a scheme's terms, only for schemes that need document frequencies. */
export function termsColumn(scheme: SparseScheme): string {
  return `${scheme}_terms`;
}

/** The schemes of a collection that need document frequencies. */
export function countedSchemes(collection: Collection): SparseScheme[] {
  return sparseSchemes(collection).filter((scheme) => WITH_IDF.has(scheme));
}

/**
 * Whether a first pass searches vectors with one byte per number, and a second one rescores the candidates with the
 * full vectors. zvec has nothing smaller with enough recall, so `binary` is stored in the same way.
 */
export function isQuantised({ profile }: Collection): boolean {
  return profile.storage !== 'float32';
}

/** @param dims the size of the table's dense vector */
export function schemaOf(zvec: Zvec, collection: Collection, dims: number): ZVecCollectionSchema {
  const { ZVecCollectionSchema, ZVecDataType: Type, ZVecIndexType, ZVecMetricType, ZVecQuantizeType } = zvec;
  const quantised = isQuantised(collection) ? { quantizeType: ZVecQuantizeType.INT8 } : {};
  const indexed = { indexParams: { indexType: ZVecIndexType.INVERT } };
  const fields: ZVecFieldSchema[] = [
    { name: PAYLOAD, dataType: Type.STRING },
    { name: DOCUMENT, dataType: Type.STRING, ...indexed },
    { name: TENANT, dataType: Type.STRING, ...indexed },
    { name: CHUNK_INDEX, dataType: Type.INT64 },
    { name: CHUNK_COUNT, dataType: Type.INT64 },
    { name: FINGERPRINT, dataType: Type.STRING },
    { name: JOB_ID, dataType: Type.STRING },
    ...orderFields(zvec),
    ...countedSchemes(collection).map((scheme) => ({
      name: termsColumn(scheme),
      dataType: Type.STRING,
      nullable: true,
    })),
  ];
  const find = columnsOf(collection);
  for (const target of filterTargets(collection)) {
    const columns = find(target);
    if (target.type !== 'geo' && columns.isThere === undefined)
      fields.push({ name: columns.values, dataType: columnTypes(zvec, target.type).list, nullable: true });
    fields.push(...numberColumns(zvec, target.type, columns));
  }
  return new ZVecCollectionSchema({
    name: 'points',
    vectors: [
      {
        name: VECTOR,
        dataType: Type.VECTOR_FP32,
        dimension: dims,
        indexParams: { indexType: ZVecIndexType.FLAT, metricType: ZVecMetricType.COSINE, ...quantised },
      },
      ...sparseSchemes(collection).map((scheme) => ({
        name: scheme,
        dataType: Type.SPARSE_VECTOR_FP32,
        indexParams: { indexType: ZVecIndexType.FLAT, metricType: ZVecMetricType.IP },
      })),
    ],
    fields,
  });
}

/** The columns for the order of sequences; tables of earlier versions get them on opening. */
export function orderFields({ ZVecDataType: Type }: Zvec): ZVecFieldSchema[] {
  return [SEQUENCE, CONFIRMED].map((name) => ({ name, dataType: Type.INT64, nullable: true }));
}

/** zvec requires a vector in every table. */
export function tombstoneSchema(zvec: Zvec): ZVecCollectionSchema {
  const { ZVecCollectionSchema, ZVecDataType: Type, ZVecIndexType, ZVecMetricType } = zvec;
  const indexParams = { indexType: ZVecIndexType.FLAT, metricType: ZVecMetricType.IP };
  return new ZVecCollectionSchema({
    name: 'tombstones',
    vectors: [{ name: 'none', dataType: Type.VECTOR_FP32, dimension: 1, indexParams }],
    fields: [{ name: SEQUENCE, dataType: Type.INT64 }],
  });
}

/** Creates the rows of points, with one of their dense vectors and the digests of their documents. */
export function rowOf(
  collection: Collection,
): (point: Point, dense: Float32Array, document: string) => ZVecDocInput {
  const filterValues = filterValuesOf(collection);
  const schemes = sparseSchemes(collection);
  const counted = countedSchemes(collection);
  // Documents of one tenant usually come together.
  let tenant: { name: string; digest: string } | undefined;
  return ({ id, sparse, payload, payloadText = JSON.stringify(payload) }, dense, document) => {
    if (tenant?.name !== payload.tenant) tenant = { name: payload.tenant, digest: digest(payload.tenant) };
    const fields: Record<string, Scalar | Scalar[]> = {
      [PAYLOAD]: payloadText,
      [DOCUMENT]: document,
      [TENANT]: tenant.digest,
      [CHUNK_INDEX]: payload.chunk_index,
      [CHUNK_COUNT]: payload.chunk_count,
      [FINGERPRINT]: payload.fingerprint,
      [JOB_ID]: payload.job_id,
      [SEQUENCE]: payload.sequence,
    };
    Object.assign(fields, filterValues(payload));
    for (const scheme of counted) {
      const vector = sparse?.[scheme];
      if (vector !== undefined && vector.indices.length > 0) {
        fields[termsColumn(scheme)] = termsText(vector.indices);
      }
    }
    const vectors: Record<string, ZVecVector> = { [VECTOR]: dense };
    // zvec requires a vector in every row, but accepts an empty one.
    for (const scheme of schemes) vectors[scheme] = sparseRow(sparse?.[scheme]);
    return { id, vectors, fields };
  };
}

/** Creates the content of the filter columns. */
export function filterValuesOf(
  collection: Collection,
): (payload: Pick<PointPayload, 'document_id' | 'metadata'>) => Record<string, Scalar | Scalar[]> {
  const find = columnsOf(collection);
  const targets = filterTargets(collection);
  return (payload) => {
    const fields: Record<string, Scalar | Scalar[]> = {};
    for (const target of targets) {
      const columns = find(target);
      if (target.type === 'geo') {
        Object.assign(fields, placeFields(columns, placesAt(target, payload)));
        continue;
      }
      // A column without a value is null. An empty list would be neither null nor comparable.
      const given = valuesAt(target, payload);
      if (given.length === 0) continue;
      const values = target.type === 'text' ? wordsOf(given) : given;
      const held = values.map(columns.hold);
      if (columns.isThere === undefined) fields[columns.values] = held;
      else fields[columns.values] = [...(fields[columns.values] as Scalar[]), columns.isThere, ...held];
      const numbers = values.filter((value) => typeof value === 'number');
      if (numbers.length === 0) continue;
      fields[columns.least] = numbers.reduce((a, b) => Math.min(a, b));
      fields[columns.greatest] = numbers.reduce((a, b) => Math.max(a, b));
      if (numbers.length > 1) fields[columns.several] = 1;
    }
    return fields;
  };
}

/** The numeric columns of a field, which zvec can add to an existing table. */
function numberColumns(zvec: Zvec, type: FilterableType, columns: FilterColumns): ZVecFieldSchema[] {
  const { ZVecDataType: Type } = zvec;
  if (type === 'geo')
    return Object.values(placeColumns(columns)).map((name) => ({
      name,
      dataType: Type.DOUBLE,
      nullable: true,
    }));
  const { ordered } = columnTypes(zvec, type);
  if (ordered === undefined) return [];
  return [
    { name: columns.least, dataType: ordered, nullable: true },
    { name: columns.greatest, dataType: ordered, nullable: true },
    { name: columns.several, dataType: Type.INT32, nullable: true },
  ];
}

/** The columns that tables need for fields added to a collection. */
export function addedColumns(zvec: Zvec, collection: Collection): ZVecFieldSchema[] {
  const find = columnsOf(collection);
  return filterTargets(collection)
    .filter((target) => find(target).isThere !== undefined)
    .flatMap((target) => numberColumns(zvec, target.type, find(target)));
}

/** The columns of the minimum and maximum latitude and longitude of a field's places. */
export function placeColumns({ least, greatest }: FilterColumns) {
  return {
    south: `${least}_lat`,
    north: `${greatest}_lat`,
    west: `${least}_lon`,
    east: `${greatest}_lon`,
  };
}

function placeFields(columns: FilterColumns, places: readonly GeoPoint[]): Record<string, number> {
  if (places.length === 0) return {};
  const [lats, lons] = [places.map(({ lat }) => lat), places.map(({ lon }) => lon)];
  const names = placeColumns(columns);
  return {
    [names.south]: Math.min(...lats),
    [names.north]: Math.max(...lats),
    [names.west]: Math.min(...lons),
    [names.east]: Math.max(...lons),
  };
}

/** The distinct words of texts; a text without words still counts as a value. */
function wordsOf(texts: readonly Scalar[]): Scalar[] {
  const words = new Set(texts.flatMap((text) => wordsIn(String(text))));
  return words.size === 0 ? [''] : [...words];
}

/** The fields with which the tables were created, in the order of their numbers. */
function createdFields(collection: Collection): string[] {
  return Object.keys(profileAsCreated(collection).filterable).toSorted();
}

function filterTargets(collection: Collection): Target[] {
  const { filterable } = collection.profile;
  const { addedFields = [] } = collection;
  const fields = [...createdFields(collection), ...addedFields].flatMap((field): Target[] => {
    const type = filterable[field];
    return type === undefined ? [] : [{ kind: 'metadata', field, type }];
  });
  return [{ kind: 'document_id', type: 'keyword' }, ...fields];
}

function columnTypes({ ZVecDataType: Type }: Zvec, type: Exclude<FilterableType, 'geo'>) {
  switch (type) {
    case 'keyword':
    case 'text':
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
