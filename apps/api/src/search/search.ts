import type { Collection, CollectionName, Fusion, Rerank, SearchRequest, TenantId } from '@embedmill/jobs';
import { fuseByRank, fuseByScore } from '@embedmill/retrieval';
import type { RankedPoint, ScoredPoint, VectorSearch, VectorStore } from '@embedmill/vector-store';
import { LoopShare } from '../loop-share.ts';
import type { QueryLane } from '../query-lane.ts';
import { documentOf, FIRST_DEPTH, pageOfBlocks, type Block } from './blocks.ts';
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
  const groupOf = request.group ? documentOf : undefined;
  const vectors = questions.flatMap((question) => question.vectors);
  const [only, ...more] = vectors;
  const isSingle = questions.length === 1 && more.length === 0 && reranking === undefined;
  if (isSingle && only !== undefined) {
    const first = firstDepthOf(collection, offset + limit);
    const look = async (depth: number): Promise<Block> => {
      const points = await store.search(collection.name as CollectionName, searchOf(request, only, depth));
      return { found: asFound(only.list, points), isAll: points.length < depth };
    };
    return pageOfBlocks(request, { first, lists: 1 }, look, groupOf);
  }
  const depths = { first: Math.max(fusion.depth, reranking?.depth ?? 0), lists: vectors.length };
  const look = async (depth: number): Promise<Block<Ranking>> => {
    const found = await listsOf(request, questions, collection, store, depth);
    return {
      found: await fuse(found, fusion, depth),
      isAll: found.every(({ points }) => points.length < depth),
    };
  };
  const read = (rankings: Ranking[]) => withPayloads(rankings, collection, store);
  // Payloads are much more than ids and scores: only the page's are read, where nothing else looks into them.
  if (reranking === undefined && groupOf === undefined)
    return read(await pageOfBlocks(request, depths, look));
  const lookInto = async (depth: number, isFirst: boolean): Promise<Block> => {
    const { found, isAll } = await look(depth);
    const fused = await read(found);
    if (reranking === undefined || !isFirst) return { found: fused, isAll };
    return { found: await rerank(fused, reranking, questions, collection, { store, lane }), isAll };
  };
  return pageOfBlocks(request, depths, lookInto, groupOf);
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
  points: RankedPoint[];
}

/** A hit whose payload is not read. */
type Ranking = Omit<Found, 'point'> & { point: RankedPoint };

async function listsOf(
  request: SearchRequest,
  questions: readonly QueryVectors[],
  { name }: Collection,
  store: VectorStore,
  depth: number,
): Promise<FoundList[]> {
  const lists = questions.flatMap(({ weight, vectors }) => vectors.map((vector) => ({ weight, vector })));
  const ranked = await store.rank(
    name as CollectionName,
    lists.map(({ vector }) => searchOf(request, vector, depth)),
  );
  return lists.map(({ weight, vector }, n) => ({ name: vector.list, weight, points: ranked[n] ?? [] }));
}

function searchOf(
  { filter, tenant }: SearchRequest,
  vector: QueryVectors['vectors'][number],
  limit: number,
): VectorSearch {
  return { vector, limit, offset: 0, filter, tenant: tenant as TenantId | undefined };
}

/** Those that are gone meanwhile are left out. */
async function withPayloads(
  rankings: readonly Ranking[],
  { name }: Collection,
  store: VectorStore,
): Promise<Found[]> {
  const ids = rankings.map(({ point }) => point.id);
  const payloads = await store.getPayloads(name as CollectionName, ids);
  return rankings.flatMap(({ point, score, scores }) => {
    const payload = payloads.get(point.id);
    return payload === undefined
      ? []
      : [{ point: { id: point.id, score: point.score, payload }, score, scores }];
  });
}

/** A list's hits as they are. */
function asFound(list: ListName, points: readonly ScoredPoint[]): Found[] {
  return points.map((point) => ({ point, score: point.score, scores: { [list]: point.score } }));
}

async function fuse(
  lists: readonly FoundList[],
  { method, k, weights }: Fusion,
  depth: number,
): Promise<Ranking[]> {
  const found = new Map<string, Ranking>();
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
