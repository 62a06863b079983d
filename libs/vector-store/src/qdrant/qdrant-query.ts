import {
  shortestFloats,
  type Collection,
  type PointId,
  type SparseScheme,
  type TenantId,
  type TokenVectors,
} from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import { groups } from '../groups.ts';
import { firstInOrder } from '../ranking.ts';
import type { PointPayload, RankedPoint, ScoredPoint, SearchVector } from '../store.ts';
import { searchParams, TOKENS } from './qdrant-collection.ts';
import { pointsOf, type QdrantFilter } from './qdrant-filter.ts';
import { payloadOf, tokenRows } from './qdrant-points.ts';
import type { Place } from './qdrant-shards.ts';

/** A search's query and vector name. */
export function queryOf(collection: Collection, vector: SearchVector) {
  switch (vector.kind) {
    case 'dense':
      return {
        query: shortestFloats(vector.values),
        using: vector.name ?? collection.vector,
        ...searchParams(collection),
      };
    case 'sparse': {
      const { indices, values } = vector.values;
      return { query: { indices: Array.from(indices), values: Array.from(values) }, using: vector.scheme };
    }
  }
}

/** The query for points near a point of the collection, which is excluded. */
export function nearQuery(collection: Collection, id: PointId) {
  return { query: id, using: collection.vector, ...searchParams(collection) };
}

/** One search per query token among these points, by their token vectors. */
export function tokenQueries(
  tokens: TokenVectors,
  { dims }: Collection,
  ids: PointId[],
  { tenant, place }: { tenant: TenantId | undefined; place: Place },
) {
  const filter = pointsOf(tenant, ids);
  return Array.from({ length: tokens.length / dims }, (_, token) => ({
    query: tokenRows(tokens.subarray(token * dims, (token + 1) * dims), dims),
    using: TOKENS,
    filter,
    limit: ids.length,
    with_payload: false,
    ...place,
  }));
}

/** The maximum number of points read to find those with equal scores. */
const MOST_POINTS = 100_000;

/** The requests of a search in one collection. */
export interface SearchRequests {
  nearest(limit: number, withPayload: boolean): Promise<Schemas['ScoredPoint'][]>;
  payloads(ids: PointId[]): Promise<Map<PointId, PointPayload>>;
  /** How many candidates to read at a time if they may not match exactly, so that their payloads must be checked. */
  satisfies?: Satisfies | undefined;
}

type Satisfies = (payload: PointPayload) => boolean;
/** The number of payloads checked at once. */
const LOOKED_AT_ONCE = 128;
/** The maximum number of points read together with their payloads; for more, only the page's payloads are read. */
const READ_AT_ONCE = 256;

/** A page of the nearest points, best first, ties by id. */
export async function searchInOrder(
  { limit, offset }: { limit: number; offset: number },
  { nearest, payloads, satisfies }: SearchRequests,
): Promise<ScoredPoint[]> {
  const mostRead = Math.min(offset + limit + 1, READ_AT_ONCE);
  const found = await firstInOrder(offset + limit, MOST_POINTS, async (depth) => {
    // Points read only for their scores need no payload.
    const points = (await nearest(depth, depth <= mostRead && offset === 0)).map(
      ({ id, score, payload }) => ({ id: String(id) as PointId, score, payload }),
    );
    return {
      points: await satisfying(points, satisfies, payloads),
      least: points.at(-1)?.score ?? Infinity,
      isAll: points.length < depth,
    };
  });
  const page = found.slice(offset);
  const unread = page.flatMap(({ id, payload }) => (payload === undefined || payload === null ? id : []));
  const read = unread.length === 0 ? undefined : await payloads(unread);
  return page.flatMap(({ id, score, payload }) => {
    const its = payload === undefined || payload === null ? read?.get(id) : payloadOf(payload);
    // A missing point was deleted meanwhile.
    return its === undefined ? [] : [{ id, score, payload: its }];
  });
}

/** The points whose payloads satisfy the condition; payloads are dropped after the check. */
async function satisfying<T extends RankedPoint>(
  points: T[],
  satisfies: Satisfies | undefined,
  payloads: SearchRequests['payloads'],
): Promise<T[]> {
  if (satisfies === undefined) return points;
  const kept: T[] = [];
  for (const some of groups(points, LOOKED_AT_ONCE)) {
    const read = await payloads(some.map(({ id }) => id));
    for (const point of some) {
      const payload = read.get(point.id);
      if (payload !== undefined && satisfies(payload)) kept.push(point);
    }
  }
  return kept;
}

/** The number of queries per request. */
const QUERIES_AT_ONCE = 64;

/** A query without its limit. */
export type RankedQuery = ReturnType<typeof queryOf> | ReturnType<typeof nearQuery>;

export interface RankedList {
  query: RankedQuery & Place & { filter?: QdrantFilter; score_threshold?: number };
  limit: number;
  offset: number;
  /** As in SearchRequests. */
  satisfies?: Satisfies | undefined;
}

export type AskedQuery = RankedList['query'] & { limit: number; with_payload: boolean };

/** Pages of several lists in few requests: only lists with ties at their ends are read again. */
export async function rankInOrder(
  lists: readonly RankedList[],
  {
    ask,
    payloads,
  }: Pick<SearchRequests, 'payloads'> & {
    ask: (queries: AskedQuery[]) => Promise<Schemas['QueryResponse'][]>;
  },
): Promise<RankedPoint[][]> {
  const asked = ({ query }: RankedList, limit: number): AskedQuery => ({
    ...query,
    limit,
    with_payload: false,
  });
  const depthOf = ({ limit, offset }: RankedList): number => Math.min(offset + limit + 1, MOST_POINTS);
  const ranked: RankedPoint[][] = [];
  for (const some of groups(lists, QUERIES_AT_ONCE)) {
    const answers = await ask(some.map((list) => asked(list, depthOf(list))));
    for (const [n, list] of some.entries()) {
      const { limit, offset, satisfies } = list;
      const first = depthOf(list);
      const found = await firstInOrder(offset + limit, MOST_POINTS, async (depth) => {
        const [answer] = depth === first ? [answers[n]] : await ask([asked(list, depth)]);
        const points = (answer?.points ?? []).map(({ id, score }) => ({ id: String(id) as PointId, score }));
        return {
          points: await satisfying(points, satisfies, payloads),
          least: points.at(-1)?.score ?? Infinity,
          isAll: points.length < depth,
        };
      });
      ranked.push(found.slice(offset));
    }
  }
  return ranked;
}

/** The factor of each term in searches; `ask` returns the best point of each search. */
export async function askTermFactors(
  scheme: SparseScheme,
  terms: Uint32Array,
  ask: (searches: ReturnType<typeof termQuery>[]) => Promise<(Schemas['ScoredPoint'] | undefined)[]>,
): Promise<Float32Array> {
  const factors = new Float32Array(terms.length);
  for (const some of groups([...terms.entries()], QUERIES_AT_ONCE)) {
    const best = await ask(some.map(([, term]) => termQuery(scheme, term)));
    for (const [n, [at, term]] of some.entries()) factors[at] = termFactor(scheme, term, best[n]);
  }
  return factors;
}

/**
 * Qdrant does not return a term's document frequency, but a score contains it. So this requests the best point for each
 * term, with its weight.
 */
function termQuery(scheme: SparseScheme, term: number) {
  return { query: { indices: [term], values: [1] }, using: scheme, limit: 1, with_vector: [scheme] };
}

/** The term's factor from the response to a termQuery; 0 if no point was found. */
function termFactor(scheme: SparseScheme, term: number, best: Schemas['ScoredPoint'] | undefined): number {
  const vectors = best?.vector as Record<string, Schemas['SparseVector']> | null | undefined;
  const vector = vectors?.[scheme];
  const weight = vector?.values[vector.indices.indexOf(term)];
  return best === undefined || weight === undefined ? 0 : best.score / weight;
}
