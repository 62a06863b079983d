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
 * How a point lies in zvec. Its payload is one JSON text; what is looked up or filtered by stands beside it in
 * columns of its own. Texts to filter by are stored as digests: they are compared for equality only, and a
 * digest needs no escaping in a filter expression (zvec's has no way to write every text).
 *
 * A table has one dense vector, because zvec adds none to a table that is there: see ZvecTable. Sparse ones are named by
 * their schemes, and those that need document frequencies have their terms in a column, too, which is read ten times as
 * fast as the vectors.
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
export const SEQUENCE = 'sequence';
/** Of chunk 0: the sequence of a submission that found the document unchanged. */
export const CONFIRMED = 'confirmed';

/**
 * The columns of something to filter by: its values as a list, and of what has an order the least and the
 * greatest, because zvec compares no lists. `several` is 1 where there is
 * more than one value (no boolean: zvec joins comparisons of one to what it then refuses). Of a text, the values are its
 * words. A place has no list, but two of the other columns each for its latitudes and its longitudes.
 *
 * zvec adds no lists to a table that is there. So the values of a field that was added later stand among those of the
 * document's id, as digests with the field's name in them; and one more that says that there is a value.
 */
export interface FilterColumns {
  values: string;
  least: string;
  greatest: string;
  several: string;
  /** A value as the list holds it. */
  hold: (value: Scalar) => Scalar;
  /** What stands in the list where there is a value; undefined where the list is null where there is none. */
  isThere: string | undefined;
}

/** Finds the columns of a target; fields have numbers here, so that no name clashes with a word of zvec's. */
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
      // No id has a NUL.
      hold: (value) => digest(`\0${field}\0${JSON.stringify(value)}`),
      isThere: digest(`\0${field}`),
    };
  };
}

/** The values of the document's id, which is one. */
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

/** The digest that stands for a text: 132 bits of its SHA-256, of letters, digits, "-" and "_". */
export function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}

export function documentDigest(key: DocumentKey): string {
  return digest(keyText(key));
}

/** A value as a column of its own holds it. */
function columnValue(value: Scalar): Scalar {
  return typeof value === 'string' ? digest(value) : value;
}

/** The column of a scheme's terms, which only those schemes have that need document frequencies. */
export function termsColumn(scheme: SparseScheme): string {
  return `${scheme}_terms`;
}

/** The schemes of a collection whose document frequencies count. */
export function countedSchemes(collection: Collection): SparseScheme[] {
  return sparseSchemes(collection).filter((scheme) => WITH_IDF.has(scheme));
}

/**
 * Whether a first look goes over vectors of a byte a number, and a second one over the whole vectors of what it found.
 * zvec has nothing smaller that finds enough, so `binary` is kept so, too.
 */
export function isQuantised({ profile }: Collection): boolean {
  return profile.storage !== 'float32';
}

/** @param dims numbers of the table's dense vector */
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

/** The columns of the order of sequences; tables of earlier versions get them when they are opened. */
export function orderFields({ ZVecDataType: Type }: Zvec): ZVecFieldSchema[] {
  return [SEQUENCE, CONFIRMED].map((name) => ({ name, dataType: Type.INT64, nullable: true }));
}

/** zvec knows no table without a vector. */
export function tombstoneSchema(zvec: Zvec): ZVecCollectionSchema {
  const { ZVecCollectionSchema, ZVecDataType: Type, ZVecIndexType, ZVecMetricType } = zvec;
  const indexParams = { indexType: ZVecIndexType.FLAT, metricType: ZVecMetricType.IP };
  return new ZVecCollectionSchema({
    name: 'tombstones',
    vectors: [{ name: 'none', dataType: Type.VECTOR_FP32, dimension: 1, indexParams }],
    fields: [{ name: SEQUENCE, dataType: Type.INT64 }],
  });
}

/** Makes the rows of points, with one of their dense vectors and the digests of their documents. */
export function rowOf(
  collection: Collection,
): (point: Point, dense: Float32Array, document: string) => ZVecDocInput {
  const filterValues = filterValuesOf(collection);
  const schemes = sparseSchemes(collection);
  const counted = countedSchemes(collection);
  // One tenant's documents mostly come together.
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
    // zvec knows no row without a vector, but an empty one.
    for (const scheme of schemes) vectors[scheme] = sparseRow(sparse?.[scheme]);
    return { id, vectors, fields };
  };
}

/** Makes what stands in the columns that are filtered by. */
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

/** The columns of numbers that a field has, which zvec also adds to a table that is there. */
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

/** What tables need for the fields that were added to a collection. */
export function addedColumns(zvec: Zvec, collection: Collection): ZVecFieldSchema[] {
  const find = columnsOf(collection);
  return filterTargets(collection)
    .filter((target) => find(target).isThere !== undefined)
    .flatMap((target) => numberColumns(zvec, target.type, find(target)));
}

/** Where the least and the greatest latitude and longitude of a field's places stand. */
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

/** The words of texts, each once; a text without any still is one. */
function wordsOf(texts: readonly Scalar[]): Scalar[] {
  const words = new Set(texts.flatMap((text) => wordsIn(String(text))));
  return words.size === 0 ? [''] : [...words];
}

/** Those that the tables were made with, in the order of their numbers. */
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
