import {
  SPARSE_SCHEMES,
  type PointId,
  type SparseScheme,
  type SparseVector,
  type TenantId,
} from '@embedmill/jobs';
import type { ZVecDoc } from '@zvec/zvec';
import { sortByDocument } from '../document-order.ts';
import { groups } from '../groups.ts';
import type { DocumentKey, PointPayload, PointVectors, StoredPoint } from '../store.ts';
import * as column from './columns.ts';
import { inDocuments } from './document-filter.ts';
import { sparseVectorOf } from './sparse-columns.ts';
import { payloadIn } from './table-search.ts';
import { MOST_ROWS, type ZvecTable } from './zvec-table.ts';

/** The number of documents whose points are read at once. */
const DOCUMENTS_AT_ONCE = 50;

/** A collection's tables: of the vector that searches use, and of the other one, if there is one. */
export interface Tables {
  current: ZvecTable;
  other: ZvecTable | undefined;
}

/** The existing points with these ids, in the requested order. */
export async function readPoints(
  { current, other }: Tables,
  ids: readonly PointId[],
): Promise<StoredPoint[]> {
  const rows = await current.fetch(ids, [column.PAYLOAD], true);
  const others = await other?.fetch(ids, [], true);
  return ids.flatMap((id) => {
    const row = rows.get(id);
    return row === undefined ? [] : [pointOf(row, others?.get(id))];
  });
}

/** The points of these documents, in the requested order and by chunk index. */
export async function readDocuments(tables: Tables, documents: DocumentKey[]): Promise<StoredPoint[]> {
  const digests = documents.map(column.documentDigest);
  const points: StoredPoint[] = [];
  for (const some of groups(digests, DOCUMENTS_AT_ONCE)) {
    const filter = inDocuments(some);
    const rows = await tables.current.query({ filter, topk: MOST_ROWS, outputFields: [] });
    const ids = rows.map((row) => row.id as PointId);
    for (const point of await readPoints(tables, ids)) points.push(point);
  }
  return sortByDocument(points, documents);
}

/** The payloads of these points, by id. */
export async function readPayloads(
  table: ZvecTable,
  ids: readonly PointId[],
): Promise<Map<PointId, PointPayload>> {
  const rows = await table.fetch(ids, [column.PAYLOAD], false);
  return new Map([...rows].map(([id, row]) => [id as PointId, payloadIn(row)]));
}

/** The vectors of these points, by id; if a tenant is given, only of its points. */
export async function readVectors(
  table: ZvecTable,
  ids: readonly PointId[],
  tenant: TenantId | undefined,
): Promise<Map<PointId, PointVectors>> {
  const rows = await table.fetch(ids, tenant === undefined ? [] : [column.TENANT], true);
  const wanted = tenant === undefined ? undefined : column.digest(tenant);
  const vectors = new Map<PointId, PointVectors>();
  for (const [id, row] of rows) {
    if (wanted !== undefined && row.fields[column.TENANT] !== wanted) continue;
    vectors.set(id as PointId, { dense: denseIn(row), sparse: sparseIn(row) });
  }
  return vectors;
}

function sparseIn({ vectors }: ZVecDoc): StoredPoint['sparse'] {
  const sparse: { [Scheme in SparseScheme]?: SparseVector } = {};
  for (const scheme of SPARSE_SCHEMES) {
    const vector = sparseVectorOf(vectors[scheme]);
    if (vector !== undefined) sparse[scheme] = vector;
  }
  return sparse;
}

function pointOf(row: ZVecDoc, other: ZVecDoc | undefined): StoredPoint {
  return {
    id: row.id as PointId,
    dense: denseIn(row),
    ...(other === undefined ? {} : { other: denseIn(other) }),
    sparse: sparseIn(row),
    payload: payloadIn(row),
  };
}

function denseIn({ vectors }: ZVecDoc): Float32Array {
  return Float32Array.from(vectors[column.VECTOR] as Float32Array);
}
