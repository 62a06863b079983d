import type { Collection, PointId, SparseVector } from '@embedmill/jobs';
import type { ZVecQuery } from '@zvec/zvec';
import { conditionOf, satisfies } from '../condition.ts';
import { wholePayload } from '../payload.ts';
import { firstInOrder } from '../ranking.ts';
import type { PointPayload, PointSelection, ScoredPoint } from '../store.ts';
import * as column from './columns.ts';
import { filterExpression } from './filter-expression.ts';
import { sparseRow } from './sparse-columns.ts';
import { MOST_ROWS, type ZvecTable } from './zvec-table.ts';

/** What a search asks of a table: the rows nearest to a vector, and how each scores. */
export interface Look {
  /** Undefined: there is nothing to look for. */
  query: ZVecQuery | undefined;
  /** Undefined: not found. zvec's score is the cosine distance, or the inner product of sparse vectors. */
  score(row: { score: number; vectors: Record<string, unknown> }): number | undefined;
  /** How many times as many rows to look at first: `score` may order them anew. */
  oversampling: number;
}

/** By a dense vector: where the store keeps short ones for the first look, scores come from the whole ones. */
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

/** A row that was found, with its point's payload where that was read. */
type FoundRow = Omit<ScoredPoint, 'payload'> & { payload: PointPayload | undefined };

/**
 * The selected points nearest to what is looked for, best first, those of equal scores by id.
 *
 * @throws EmbedmillError `invalid_filter`, `store_unavailable`.
 */
export async function searchTable(
  table: ZvecTable,
  collection: Collection,
  columnsOf: column.ColumnsOf,
  look: Look,
  { filter, tenant, limit, offset }: PointSelection & { limit: number; offset: number },
): Promise<ScoredPoint[]> {
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
  const first = offset + limit + 1;
  const found = await firstInOrder(offset + limit, MOST_ROWS, async (depth) => {
    const topk = Math.min(depth * look.oversampling, MOST_ROWS);
    // What is looked at for its score only needs no payload.
    const isRead = depth <= first || checked !== undefined;
    const rows = await nearest(table, look, { ...query, topk, outputFields: isRead ? [column.PAYLOAD] : [] });
    return {
      points: rows.filter(
        ({ payload }) => checked === undefined || (payload !== undefined && satisfies(checked, payload)),
      ),
      least: rows.reduce((least, { score }) => Math.min(least, score), Infinity),
      isAll: rows.length < topk,
    };
  });
  return withPayloads(table, found.slice(offset));
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

/** Without those that were deleted meanwhile. */
async function withPayloads(table: ZvecTable, found: FoundRow[]): Promise<ScoredPoint[]> {
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
