import type { Collection, CollectionName, Fusion, Rerank, SearchRequest, TenantId } from '@embedmill/jobs';
import { bestOfEach, fuseByRank, fuseByScore } from '@embedmill/retrieval';
import type { ScoredPoint, VectorStore } from '@embedmill/vector-store';
import type { QueryLane } from '../query-lane.ts';
import type { ListName, QueryVectors } from './query-vectors.ts';
import { rerank } from './rerank.ts';

/** A point that was found, with what each list said of it. */
export interface Found {
  point: ScoredPoint;
  score: number;
  /** By `dense`, `bm25`, …, `rerank`; where several questions were asked, the best. */
  scores: Partial<Record<ListName | 'rerank', number>>;
}

/** The most hits of one list: what stores return at once. */
const DEEPEST = 10_000;

/**
 * The points that answer the questions, best first. One list of one question keeps the store's own scores and order;
 * several lists are fused, then reranked where that is asked for, then one chunk of each document is kept where that is
 * asked for. Looks deeper, twice as deep each time, until there are as many documents as were asked for, or no more.
 */
export async function searchPoints(
  request: SearchRequest,
  questions: readonly QueryVectors[],
  collection: Collection,
  { store, lane }: { store: VectorStore; lane: QueryLane },
): Promise<Found[]> {
  const { limit, offset, group, fusion } = request;
  const reranking = rerankingOf(request);
  const single = questions.length === 1 && questions[0]?.vectors.length === 1 && reranking === undefined;
  const wanted = offset + limit;
  const atLeast = single ? 0 : Math.max(fusion.depth, reranking?.depth ?? 0);
  for (let depth = Math.max(wanted, atLeast); ; depth *= 2) {
    const bounded = Math.min(depth, DEEPEST);
    const lists = await listsOf(request, questions, collection, store, bounded);
    const fused = single ? asFound(lists[0]) : fuse(lists, fusion);
    const mayHaveMore = lists.some(({ points }) => points.length === bounded) && bounded < DEEPEST;
    if (group && mayHaveMore && bestOfEach(fused, documentOf).length < wanted) continue;
    const ranked =
      reranking === undefined
        ? fused
        : await rerank(fused, reranking, questions, collection, { store, lane });
    return (group ? bestOfEach(ranked, documentOf) : ranked).slice(offset, wanted);
  }
}

/** What one vector of one question found. */
interface FoundList {
  name: ListName;
  weight: number;
  points: ScoredPoint[];
}

function listsOf(
  { filter, tenant }: SearchRequest,
  questions: readonly QueryVectors[],
  { name }: Collection,
  store: VectorStore,
  depth: number,
): Promise<FoundList[]> {
  return Promise.all(
    questions.flatMap(({ weight, vectors }) =>
      vectors.map(async ({ list, ...vector }): Promise<FoundList> => {
        const points = await store.search(name as CollectionName, {
          ...{ vector, limit: depth, offset: 0, filter },
          tenant: tenant as TenantId | undefined,
        });
        return { name: list, weight, points };
      }),
    ),
  );
}

/** A list's hits as they are. */
function asFound(list: FoundList | undefined): Found[] {
  return (list?.points ?? []).map((point) => ({
    point,
    score: point.score,
    scores: list === undefined ? {} : { [list.name]: point.score },
  }));
}

function fuse(lists: readonly FoundList[], { method, k, weights }: Fusion): Found[] {
  const found = new Map<string, Found>();
  for (const { name, points } of lists) {
    for (const point of points) {
      const known = found.get(point.id) ?? { point, score: 0, scores: {} };
      known.scores[name] = Math.max(known.scores[name] ?? -Infinity, point.score);
      found.set(point.id, known);
    }
  }
  const ranked = lists.map(({ name, weight, points }) => ({
    weight: weight * (weights[name] ?? 1),
    hits: points.map(({ id, score }) => ({ key: id, score })),
  }));
  const fused = method === 'rrf' ? fuseByRank(ranked, k) : fuseByScore(ranked);
  return fused.flatMap(({ key, score }) => {
    const one = found.get(key);
    return one === undefined ? [] : [{ ...one, score }];
  });
}

export const documentOf = ({ point: { payload } }: Found): string =>
  JSON.stringify([payload.tenant, payload.document_id]);

function rerankingOf({ rerank: asked }: SearchRequest): Rerank | undefined {
  if (asked === false) return undefined;
  return asked === true ? { depth: 100 } : asked;
}
