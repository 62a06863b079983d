import type { Collection, PointId, SparseVector } from '@embedmill/jobs';
import type { ZVecQuery } from '@zvec/zvec';
import { conditionOf, satisfies, type Condition } from '../condition.ts';
import { groups } from '../groups.ts';
import { wholePayload } from '../payload.ts';
import { firstInOrder } from '../ranking.ts';
import type { PointPayload, PointSelection, RankedPoint, ScoredPoint } from '../store.ts';
import * as column from './columns.ts';
import { filterExpression } from './filter-expression.ts';
import { sparseRow } from './sparse-columns.ts';
import { MOST_ROWS, type ZvecTable } from './zvec-table.ts';

/** A search in a table: the rows nearest to a vector, and the score of each. */
export interface Look {
  /** Undefined: there is nothing to search for. */
  query: ZVecQuery | undefined;
  /** Undefined: not found. zvec's score is the cosine distance, or the inner product of sparse vectors. */
  score(row: { score: number; vectors: Record<string, unknown> }): number | undefined;
  /** The oversampling of the first pass, because `score` may reorder the rows. */
  oversampling: number;
}

/** By a dense vector; if the first pass uses compact vectors, scores come from the full ones. */
export function denseLook(collection: Collection, values: Float32Array): Look {
  const query = { fieldName: column.VECTOR, vector: values };
  if (!column.isQuantised(collection)) {
    return { query, score: ({ score }) => 1 - score, oversampling: 1 };
  }
  return {
    query: { ...query, includeVector: true },
    score: ({ vectors }) => cosine(values, vectors[column.VECTOR] as Float32Array),
    oversampling: 2,
  };
}

/** By a sparse vector. zvec also returns rows that share no term. */
export function sparseLook(scheme: string, vector: SparseVector): Look {
  return {
    query: vector.indices.length === 0 ? undefined : { fieldName: scheme, vector: sparseRow(vector) },
    score: ({ score }) => (score > 0 ? score : undefined),
    oversampling: 1,
  };
}

/** The search function of a table. */
export type FindInTable<T> = (
  table: ZvecTable,
  collection: Collection,
  columnsOf: column.ColumnsOf,
  look: Look,
  selection: PointSelection & { limit: number; offset: number },
) => Promise<T[]>;

/**
 * The maximum number of rows read together with their payloads; for more, payloads are read once it is known which rows
 * are needed.
 */
const READ_AT_ONCE = 256;

/** A found row, with its point's payload if it was read. */
type FoundRow = RankedPoint & { payload: PointPayload | undefined };

/**
 * The selected points nearest to the query, best first, ties by id.
 *
 * @throws EmbedmillError `invalid_filter`, `store_unavailable`.
 */
export const searchTable: FindInTable<ScoredPoint> = async (
  table,
  collection,
  columnsOf,
  look,
  selection,
) => {
  const mostRead = Math.min(selection.offset + selection.limit + 1, READ_AT_ONCE);
  return withPayloads(table, await findRows(table, collection, columnsOf, look, { ...selection, mostRead }));
};

/** Like `searchTable`, without payloads: however many rows it reads, only ids and scores are in memory. */
export const rankTable: FindInTable<RankedPoint> = async (table, collection, columnsOf, look, selection) => {
  const found = await findRows(table, collection, columnsOf, look, { ...selection, mostRead: 0 });
  return found.map(({ id, score }) => ({ id, score }));
};

/** @param mostRead up to this many rows are read together with their payloads */
async function findRows(
  table: ZvecTable,
  collection: Collection,
  columnsOf: column.ColumnsOf,
  look: Look,
  {
    filter,
    tenant,
    limit,
    offset,
    mostRead,
  }: PointSelection & { limit: number; offset: number; mostRead: number },
): Promise<FoundRow[]> {
  const condition = filter && conditionOf(filter, collection.profile.filterable);
  const expression = condition && filterExpression(condition, columnsOf);
  const parts = [
    ...(tenant === undefined ? [] : [`${column.TENANT} = '${column.digest(tenant)}'`]),
    ...(expression === undefined ? [] : [expression.text]),
  ];
  if (look.query === undefined) return [];
  const where = parts.length === 0 ? {} : { filter: parts.join(' and ') };
  const query = { ...look.query, ...where };
  const checked = expression?.exact === false ? condition : undefined;
  const found = await firstInOrder(offset + limit, MOST_ROWS, async (depth) => {
    const topk = Math.min(depth * look.oversampling, MOST_ROWS);
    const outputFields = depth <= mostRead ? [column.PAYLOAD] : [];
    const rows = await nearest(table, look, { ...query, topk, outputFields });
    return {
      points: checked === undefined ? rows : await satisfying(table, rows, checked),
      least: rows.reduce((least, { score }) => Math.min(least, score), Infinity),
      isAll: rows.length < topk,
    };
  });
  return found.slice(offset);
}

/** The rows whose payloads satisfy what the filter could not express; reads this many at a time. */
async function satisfying(
  table: ZvecTable,
  rows: readonly FoundRow[],
  condition: Condition,
): Promise<FoundRow[]> {
  const kept: FoundRow[] = [];
  for (const some of groups(rows, READ_AT_ONCE)) {
    const unread = some.flatMap(({ id, payload }) => (payload === undefined ? id : []));
    const read = unread.length === 0 ? undefined : await table.fetch(unread, [column.PAYLOAD], false);
    for (const row of some) {
      const fetched = read?.get(row.id);
      const payload = row.payload ?? (fetched && payloadIn(fetched));
      if (payload !== undefined && satisfies(condition, payload)) kept.push(row);
    }
  }
  return kept;
}

async function nearest(table: ZvecTable, look: Look, query: ZVecQuery): Promise<FoundRow[]> {
  const rows = await table.query(query);
  return rows.flatMap((row): FoundRow[] => {
    const score = look.score(row);
    if (score === undefined) return [];
    const payload = Object.hasOwn(row.fields, column.PAYLOAD) ? payloadIn(row) : undefined;
    return [{ id: row.id as PointId, score, payload }];
  });
}

/** Removes rows that were deleted meanwhile. */
async function withPayloads(table: ZvecTable, found: readonly FoundRow[]): Promise<ScoredPoint[]> {
  const ids = found.flatMap(({ id, payload }) => (payload === undefined ? id : []));
  const rows = ids.length === 0 ? undefined : await table.fetch(ids, [column.PAYLOAD], false);
  return found.flatMap(({ id, score, payload }) => {
    const row = rows?.get(id);
    const its = payload ?? (row && payloadIn(row));
    return its === undefined ? [] : [{ id, score, payload: its }];
  });
}

export function payloadIn({ fields }: { fields: Record<string, unknown> }): PointPayload {
  return wholePayload(JSON.parse(fields[column.PAYLOAD] as string) as PointPayload);
}

function cosine(a: Float32Array, b: Float32Array): number {
  let product = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (let at = 0; at < a.length; at += 1) {
    const x = a[at] ?? 0;
    const y = b[at] ?? 0;
    product += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  return product === 0 ? 0 : product / Math.sqrt(squaresA * squaresB);
}
