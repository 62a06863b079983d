import {
  type Collection,
  type CollectionName,
  type Filter,
  type PointId,
  type RecommendRequest,
  type TenantId,
} from '@embedmill/jobs';
import { combineExamples, likeness } from '@embedmill/retrieval';
import type { RankedPoint, VectorStore } from '@embedmill/vector-store';
import { LoopShare } from '../http/loop-share.ts';
import type { QueryLane } from '../queries/query-lane.ts';
import type { Block } from './blocks.ts';
import { ExampleVectors } from './example-vectors.ts';
import { HitPayloads } from './payloads.ts';
import type { FoundPage, Ranking } from './found.ts';
import { firstDepthOf, pageWithPayloads } from './search.ts';

/** The number of each example's hits that `best` reads first. */
const BEST_DEPTH = 200;
/** The number of points whose vectors are read at once. */
const VECTORS_AT_ONCE = 256;

/**
 * The points similar to the positives and dissimilar to the negatives, best first, without the documents that are
 * examples. Errors: `invalid_request` for a missing id.
 */
export async function recommendPoints(
  request: RecommendRequest,
  collection: Collection,
  { store, lane }: { store: VectorStore; lane: QueryLane },
): Promise<FoundPage> {
  const { limit, offset, strategy, filter, tenant } = request;
  const name = collection.name as CollectionName;
  const examplesIn = new ExampleVectors(collection, tenant as TenantId | undefined, { store, lane });
  const positives = await examplesIn.of(request.positive, 'positive');
  const negatives = await examplesIn.of(request.negative, 'negative');
  const examples = [...request.positive, ...request.negative].flatMap((one) => ('id' in one ? one.id : []));
  const others: Filter | undefined =
    examples.length === 0 ? undefined : { not: { field: 'document_id', in: examples } };
  const conditions = [filter, others].filter((one) => one !== undefined);
  const selection = {
    filter: conditions.length > 1 ? { and: conditions } : conditions[0],
    tenant: tenant as TenantId | undefined,
  };
  const payloads = new HitPayloads(store, collection);
  /** The score of each point under `best`. */
  const scored = new Map<PointId, number>();
  return strategy === 'average'
    ? pageWithPayloads(
        request,
        { first: firstDepthOf(collection, offset + limit), lists: 1 },
        average,
        payloads,
      )
    : pageWithPayloads(request, { first: BEST_DEPTH, lists: positives.length }, best, payloads);

  async function average(depth: number): Promise<Block<Ranking>> {
    const [points = []] = await nearest([combineExamples(positives, negatives)], depth);
    const found = points.map((point) => ({ point, score: point.score, scores: { dense: point.score } }));
    return { found, isAll: points.length < depth };
  }

  /** Points near any of the positives; those nearer to a negative come last. */
  async function best(depth: number): Promise<Block<Ranking>> {
    const lists = await nearest(positives, depth);
    const points = new Map(lists.flat().map((point) => [point.id, point]));
    const unscored = [...points.keys()].filter((id) => !scored.has(id));
    const share = new LoopShare();
    for (let from = 0; from < unscored.length; from += VECTORS_AT_ONCE) {
      const some = unscored.slice(from, from + VECTORS_AT_ONCE);
      for (const [id, dense] of await store.getDense(name, some)) {
        scored.set(id, likeness(dense, positives, negatives));
        await share.step();
      }
    }
    const found = [...points.values()].flatMap((point): Ranking[] => {
      const score = scored.get(point.id);
      return score === undefined ? [] : [{ point, score, scores: {} }];
    });
    return {
      found: found.toSorted((a, b) => b.score - a.score || (a.point.id < b.point.id ? -1 : 1)),
      isAll: lists.every((list) => list.length < depth),
    };
  }

  function nearest(vectors: readonly Float32Array[], depth: number): Promise<RankedPoint[][]> {
    const page = { limit: depth, offset: 0, ...selection };
    return store.rank(
      name,
      vectors.map((values) => ({ vector: { kind: 'dense', values }, ...page })),
    );
  }
}
