import type { Collection, DenseName } from '@embedmill/jobs';
import type { DataType, FieldType } from '@zilliz/milvus2-sdk-node';
import { sparseSchemes } from '../collections.ts';
import { denseVector } from '../vector-check.ts';
import { FACTS, MOST_ENTRIES, RANGES } from './filter-columns.ts';
import { countedSchemes, KEY, MOST_PIECES, PAYLOAD, termsColumn, VECTOR } from './point-rows.ts';

export interface Index {
  index_type: string;
  metric_type?: string;
  params?: Record<string, string | number | boolean>;
}

/** A Milvus collection: its fields, and its indexes by field. */
export interface Table {
  fields: FieldType[];
  indexes: Record<string, Index>;
}

/** The client's data types, because the client is loaded only on use. */
export type DataTypes = typeof DataType;

const LONGEST_TEXT = 65_535;
const ID = 64;
/** The maximum bytes of a tenant's name: 128 UTF-16 units. */
const TENANT = 512;
const FACT = 32;
const INVERTED = { index_type: 'INVERTED' };

/** The points with one dense vector. Milvus distributes tenants over partitions, and searches only a tenant's. */
export function pointTable(types: DataTypes, collection: Collection, vector: DenseName): Table {
  const { dims } = denseVector(collection, vector);
  const schemes = sparseSchemes(collection);
  const list = (name: string, element: keyof DataTypes, capacity: number, length?: number): FieldType => ({
    name,
    data_type: types.Array,
    element_type: types[element] as number,
    max_capacity: capacity,
    ...(length === undefined ? {} : { max_length: length }),
  });
  return {
    fields: [
      { name: KEY, data_type: types.VarChar, is_primary_key: true, max_length: ID },
      { name: 'tenant', data_type: types.VarChar, max_length: TENANT, is_partition_key: true },
      { name: 'point', data_type: types.VarChar, max_length: ID },
      { name: 'document', data_type: types.VarChar, max_length: ID },
      { name: 'document_id', data_type: types.VarChar, max_length: LONGEST_TEXT },
      { name: 'chunk_index', data_type: types.Int64 },
      { name: 'chunk_count', data_type: types.Int64 },
      { name: 'sequence', data_type: types.Int64 },
      { name: 'fingerprint', data_type: types.VarChar, max_length: LONGEST_TEXT },
      { name: 'job_id', data_type: types.VarChar, max_length: LONGEST_TEXT },
      { name: 'source', data_type: types.VarChar, max_length: LONGEST_TEXT, nullable: true },
      list(PAYLOAD, 'VarChar', MOST_PIECES, LONGEST_TEXT),
      list(FACTS, 'VarChar', MOST_ENTRIES, FACT),
      ...countedSchemes(collection).map((scheme) => list(termsColumn(scheme), 'Int64', MOST_ENTRIES)),
      { name: RANGES, data_type: types.JSON },
      { name: VECTOR, data_type: types.FloatVector, dim: dims },
      ...schemes.map((scheme) => ({ name: scheme, data_type: types.SparseFloatVector })),
    ],
    indexes: {
      [VECTOR]: denseIndex(collection),
      ...Object.fromEntries(
        schemes.map((scheme) => [scheme, { index_type: 'SPARSE_INVERTED_INDEX', metric_type: 'IP' }]),
      ),
      point: INVERTED,
      document: INVERTED,
      [FACTS]: INVERTED,
      ...Object.fromEntries(countedSchemes(collection).map((scheme) => [termsColumn(scheme), INVERTED])),
    },
  };
}

/** All columns of a collection's rows. */
export function columnsOf(types: DataTypes, collection: Collection): string[] {
  return pointTable(types, collection, collection.vector).fields.map(({ name }) => name);
}

/** The documents' additional state; has a vector because Milvus requires one in every table. */
export function markTableOf(types: DataTypes): Table {
  return {
    fields: [
      { name: KEY, data_type: types.VarChar, is_primary_key: true, max_length: 2 * ID },
      { name: 'document', data_type: types.VarChar, max_length: ID },
      { name: 'kind', data_type: types.VarChar, max_length: ID },
      { name: 'sequence', data_type: types.Int64 },
      { name: 'written', data_type: types.Int64 },
      { name: 'none', data_type: types.FloatVector, dim: 2 },
    ],
    indexes: { none: { index_type: 'AUTOINDEX', metric_type: 'COSINE' }, document: INVERTED },
  };
}

export function registryTable(types: DataTypes): Table {
  return {
    fields: [
      { name: KEY, data_type: types.VarChar, is_primary_key: true, max_length: 2 * ID },
      {
        name: 'value',
        data_type: types.Array,
        element_type: types.VarChar,
        max_capacity: MOST_PIECES,
        max_length: LONGEST_TEXT,
      },
      { name: 'none', data_type: types.FloatVector, dim: 2 },
    ],
    indexes: { none: { index_type: 'AUTOINDEX', metric_type: 'COSINE' } },
  };
}

/**
 * One byte per number for the first pass if the profile wants compact vectors; the full vectors determine the scores.
 */
function denseIndex({ profile }: Collection): Index {
  if (profile.storage === 'float32') return { index_type: 'AUTOINDEX', metric_type: 'COSINE' };
  const params = { M: 30, efConstruction: 360, sq_type: 'SQ8', refine: true, refine_type: 'FP32' };
  return { index_type: 'HNSW_SQ', metric_type: 'COSINE', params };
}

/** The parameters of a search's index. */
export function denseSearchParams({ profile }: Collection, limit: number): Record<string, number> {
  return profile.storage === 'float32' ? {} : { ef: Math.max(64, 2 * limit), refine_k: 2 };
}
