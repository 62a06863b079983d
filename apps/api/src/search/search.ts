import type { Collection, CollectionName, Fusion, Rerank, SearchRequest, TenantId } from '@embedmill/jobs';
import { fuseByRank, fuseByScore } from '@embedmill/retrieval';
import type { PointPayload, ScoredPoint, VectorStore } from '@embedmill/vector-store';
import { LoopShare } from '../loop-share.ts';
import type { QueryLane } from '../query-lane.ts';
import { FIRST_DEPTH, pageOfBlocks } from './blocks.ts';
import type { ListName, QueryVectors } from './query-vectors.ts';
import { rerank } from './rerank.ts';

/** A point that was found, with what each list said of it. */
export interface Found {
  point: ScoredPoint;
  score: number;
  /** By `dense`, `bm25`, …, `rerank`; where several questions were asked, the best. */
  scores: Partial<Record<ListName | 'rerank', number>>;
}

/**
 * The points that answer the questions, best first. One list of one question keeps the store's own scores and order;
 * several lists are fused, then reranked where that is asked for, then one chunk of each document is kept where that is
 * asked for.
 */
export async function searchPoints(
  request: SearchRequest,
  questions: readonly QueryVectors[],
  collection: Collection,
  { store, lane }: { store: VectorStore; lane: QueryLane },
): Promise<Found[]> {
  const { limit, offset, fusion } = request;
  const reranking = rerankingOf(request);
  const single = questions.length === 1 && questions[0]?.vectors.length === 1 && reranking === undefined;
  const first = single
    ? firstDepthOf(collection, offset + limit)
    : Math.max(fusion.depth, reranking?.depth ?? 0);
  const lists = questions.reduce((sum, { vectors }) => sum + vectors.length, 0);
  return pageOfBlocks(request, { first, lists }, async (depth, isFirst) => {
    const found = await listsOf(request, questions, collection, store, depth);
    const fused = single ? asFound(found[0]) : await fuse(found, fusion, depth);
    const isReranked = reranking !== undefined && isFirst;
    return {
      found: isReranked ? await rerank(fused, reranking, questions, collection, { store, lane }) : fused,
      isAll: found.every(({ points }) => points.length < depth),
    };
  });
}

/** How deep to look first into a list that is taken as it is: not deeper than the page, where that finds the same. */
export function firstDepthOf({ profile }: Collection, wanted: number): number {
  // What is scored anew depends on how many are.
  return profile.storage === 'float32' ? Math.min(wanted, FIRST_DEPTH) : FIRST_DEPTH;
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
  // Lists of one search share most of their points, whose payloads may be large.
  const payloads = new Map<string, PointPayload>();
  const once = (point: ScoredPoint): ScoredPoint => {
    const payload = payloads.get(point.id) ?? point.payload;
    payloads.set(point.id, payload);
    return { ...point, payload };
  };
  return Promise.all(
    questions.flatMap(({ weight, vectors }) =>
      vectors.map(async ({ list, ...vector }): Promise<FoundList> => {
        const points = await store.search(name as CollectionName, {
          vector,
          limit: depth,
          offset: 0,
          filter,
          tenant: tenant as TenantId | undefined,
        });
        return { name: list, weight, points: points.map(once) };
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

async function fuse(
  lists: readonly FoundList[],
  { method, k, weights }: Fusion,
  depth: number,
): Promise<Found[]> {
  const found = new Map<string, Found>();
  const share = new LoopShare();
  for (const { name, points } of lists) {
    await share.step();
    for (const point of points) {
      const known = found.get(point.id) ?? { point, score: 0, scores: {} };
      known.scores[name] = Math.max(known.scores[name] ?? -Infinity, point.score);
      found.set(point.id, known);
    }
  }
  const ranked = lists.map(({ name, weight, points }) => ({
    weight: weight * (weights[name] ?? 1),
    hits: points.map(({ id, score }) => ({ key: id, score })),
    // A sparse list that ends before it has to has all that share a term with the question.
    others: name !== 'dense' && points.length < depth ? 0 : undefined,
  }));
  const fused = method === 'rrf' ? fuseByRank(ranked, k) : fuseByScore(ranked);
  return fused.flatMap(({ key, score }) => {
    const one = found.get(key);
    return one === undefined ? [] : [{ ...one, score }];
  });
}

function rerankingOf({ rerank: asked }: SearchRequest): Rerank | undefined {
  if (asked === false) return undefined;
  return asked === true ? { depth: 100 } : asked;
}
