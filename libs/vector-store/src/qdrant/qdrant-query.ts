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

/** What a search looks for, and by which vector. */
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

/** What a search for the points near to one of the collection looks for; that one is not among them. */
export function nearQuery(collection: Collection, id: PointId) {
  return { query: id, using: collection.vector, ...searchParams(collection) };
}

/** For each of a question's tokens a search of these points by their token vectors. */
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

/** Points that are looked at to find those of equal scores, at most. */
const MOST_POINTS = 100_000;

/** What a search asks of one collection. */
export interface SearchRequests {
  nearest(limit: number, withPayload: boolean): Promise<Schemas['ScoredPoint'][]>;
  payloads(ids: PointId[]): Promise<Map<PointId, PointPayload>>;
  /** Of what may be nearest without being what is looked for; then payloads are read, so many at a time. */
  satisfies?: Satisfies | undefined;
}

type Satisfies = (payload: PointPayload) => boolean;
/** Payloads of points that are looked at, at once. */
const LOOKED_AT_ONCE = 128;
/** Points that come with their payloads at once; of more, those of the page are read. */
const READ_AT_ONCE = 256;

/** A page of the nearest points, best first, those of equal scores by id. */
export async function searchInOrder(
  { limit, offset }: { limit: number; offset: number },
  { nearest, payloads, satisfies }: SearchRequests,
): Promise<ScoredPoint[]> {
  const mostRead = Math.min(offset + limit + 1, READ_AT_ONCE);
  const found = await firstInOrder(offset + limit, MOST_POINTS, async (depth) => {
    // What is looked at for its score only needs no payload.
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
    // One that is gone was deleted meanwhile.
    return its === undefined ? [] : [{ id, score, payload: its }];
  });
}

/** Those whose payloads satisfy, whatever more of them there is held no longer than it is looked at. */
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

/** Queries a request. */
const QUERIES_AT_ONCE = 64;

/** A query without its limit. */
export type RankedQuery = ReturnType<typeof queryOf> | ReturnType<typeof nearQuery>;

export interface RankedList {
  query: RankedQuery & Place & { filter?: QdrantFilter; score_threshold?: number };
  limit: number;
  offset: number;
  /** As of SearchRequests. */
  satisfies?: Satisfies | undefined;
}

export type AskedQuery = RankedList['query'] & { limit: number; with_payload: boolean };

/** Pages of several lists, in few requests: only those are looked at again that equal scores at their ends leave open. */
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

/** What searches multiply each term by; `ask` gives the best point of each of some searches. */
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
 * Qdrant does not tell how many points have a term, but what it makes of it: in the score of a point that has it. So
 * the best one is asked for, with its weight.
 */
function termQuery(scheme: SparseScheme, term: number) {
  return { query: { indices: [term], values: [1] }, using: scheme, limit: 1, with_vector: [scheme] };
}

/** What the term was multiplied by in the answer to a termQuery; 0 where no point was found. */
function termFactor(scheme: SparseScheme, term: number, best: Schemas['ScoredPoint'] | undefined): number {
  const vectors = best?.vector as Record<string, Schemas['SparseVector']> | null | undefined;
  const vector = vectors?.[scheme];
  const weight = vector?.values[vector.indices.indexOf(term)];
  return best === undefined || weight === undefined ? 0 : best.score / weight;
}
