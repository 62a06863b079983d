import type { Collection, CollectionName, Rerank, SearchRequest, TenantId } from '@embedmill/jobs';
import { fuseByRank, fuseByScore } from '@embedmill/retrieval';
import type { RankedPoint, VectorSearch, VectorStore } from '@embedmill/vector-store';
import { LoopShare } from '../http/loop-share.ts';
import type { QueryLane } from '../queries/query-lane.ts';
import { FIRST_DEPTH, pageOfBlocks, type Block } from './blocks.ts';
import type { FoundPage, Ranking, Shares } from './found.ts';
import { HitPayloads } from './payloads.ts';
import type { ListName, QueryVectors } from './query-vectors.ts';
import { rerank } from './rerank.ts';

/** The largest page that is read together with its payloads in one call: some megabytes at most. */
const READ_AT_ONCE = 100;

/**
 * The points that answer the questions, best first. A single list of a single question keeps the store's own scores and
 * order; several lists are fused, then reranked if requested, then reduced to one chunk per document if requested. Only
 * ids and scores are held in memory, however deep the search; payloads are read only for the page.
 */
export async function searchPoints(
  request: SearchRequest,
  questions: readonly QueryVectors[],
  collection: Collection,
  { store, lane }: { store: VectorStore; lane: QueryLane },
): Promise<FoundPage> {
  const { limit, offset, fusion } = request;
  const reranking = rerankingOf(request);
  const vectors = questions.flatMap((question) => question.vectors);
  const [only, ...more] = vectors;
  const single = questions.length === 1 && more.length === 0 && reranking === undefined ? only : undefined;
  if (single !== undefined && !request.group && offset + limit <= READ_AT_ONCE) {
    const depth = firstDepthOf(collection, offset + limit);
    const points = await store.search(collection.name as CollectionName, searchOf(request, single, depth));
    return { found: asFound(single.list, points).slice(offset, offset + limit), isCut: false };
  }
  const payloads = new HitPayloads(store, collection);
  const depths =
    single === undefined
      ? { first: Math.max(fusion.depth, reranking?.depth ?? 0), lists: vectors.length }
      : { first: firstDepthOf(collection, offset + limit), lists: 1 };
  const look = async (depth: number, isFirst: boolean): Promise<Block<Ranking>> => {
    const lists = await listsOf(request, questions, collection, store, depth);
    const isAll = lists.every(({ points }) => points.length < depth);
    const [list] = lists;
    const found =
      single !== undefined && list !== undefined
        ? asFound(list.name, list.points)
        : await fuse(lists, request, depth);
    if (reranking === undefined || !isFirst) return { found, isAll };
    const ranked = await rerank(found, reranking, questions, collection, { store, lane, payloads });
    return { found: ranked, isAll };
  };
  return pageWithPayloads(request, depths, look, payloads);
}

/** A page of a ranking, with its payloads; one chunk per document, if requested. */
export async function pageWithPayloads(
  { limit, offset, group }: { limit: number; offset: number; group: boolean },
  depths: { first: number; lists: number },
  look: (depth: number, isFirst: boolean) => Promise<Block<Ranking>>,
  payloads: HitPayloads,
): Promise<FoundPage> {
  if (!group) return payloads.page(await pageOfBlocks({ limit, offset }, depths, look));
  const lookInto = async (depth: number, isFirst: boolean) => {
    const { found, isAll } = await look(depth, isFirst);
    return { found: await payloads.withDocuments(found), isAll };
  };
  return payloads.page(await pageOfBlocks({ limit, offset }, depths, lookInto, ({ document }) => document));
}

/** The initial depth in a list that is used unchanged: no deeper than the page, if that gives the same result. */
export function firstDepthOf({ profile }: Collection, wanted: number): number {
  // The result of rescoring depends on the number of candidates.
  return profile.storage === 'float32' ? Math.min(wanted, FIRST_DEPTH) : FIRST_DEPTH;
}

/** The hits of one vector of one question. */
interface FoundList {
  name: ListName;
  weight: number;
  voice: number | undefined;
  points: RankedPoint[];
}

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
  return lists.map(({ weight, vector }, n) => ({
    name: vector.list,
    weight,
    voice: vector.voice,
    points: ranked[n] ?? [],
  }));
}

function searchOf(
  { filter, tenant }: SearchRequest,
  vector: QueryVectors['vectors'][number],
  limit: number,
): VectorSearch {
  return { vector, limit, offset: 0, filter, tenant: tenant as TenantId | undefined };
}

/** A list's hits, unchanged. */
function asFound<P extends RankedPoint>(list: ListName, points: readonly P[]) {
  return points.map((point) => ({ point, score: point.score, scores: { [list]: point.score } }));
}

async function fuse(
  lists: readonly FoundList[],
  { fusion: { method, k, weights }, explain }: Pick<SearchRequest, 'fusion' | 'explain'>,
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
  const ranked = lists.map(({ name, weight, voice = 1, points }) => ({
    weight: weight * (weights[name] ?? voice),
    name: explain ? name : undefined,
    hits: points.map(({ id, score }) => ({ key: id, score })),
    // A sparse list that ends before its limit contains all points that share a term with the question.
    others: name !== 'dense' && points.length < depth ? 0 : undefined,
  }));
  const fused = method === 'rrf' ? fuseByRank(ranked, k) : fuseByScore(ranked);
  return fused.flatMap(({ key, score, parts }) => {
    const one = found.get(key);
    return one === undefined ? [] : [{ ...one, score, shares: parts && sharesOf(parts) }];
  });
}

/** Converts the parts of a score to shares. A part far below its list's mean reduces the score, and has no share. */
function sharesOf(parts: Readonly<Shares>): Shares | undefined {
  const given = Object.entries(parts).map(([name, part]) => [name, Math.max(0, part)] as const);
  const sum = given.reduce((total, [, part]) => total + part, 0);
  return sum === 0 ? undefined : Object.fromEntries(given.map(([name, part]) => [name, part / sum]));
}

function rerankingOf({ rerank: asked }: SearchRequest): Rerank | undefined {
  if (asked === false) return undefined;
  return asked === true ? { depth: 100 } : asked;
}
