import {
  DEFAULT_TENANT,
  EmbedmillError,
  type Collection,
  type CollectionName,
  type DocumentId,
  type Example,
  type Filter,
  type PointId,
  type RecommendRequest,
  type TenantId,
} from '@embedmill/jobs';
import { combineExamples, likeness } from '@embedmill/retrieval';
import type { RankedPoint, VectorStore } from '@embedmill/vector-store';
import { LoopShare } from '../http/loop-share.ts';
import { checkText, refuseUnknown, vectorAt, type QueryLane } from '../queries/query-lane.ts';
import type { Block } from './blocks.ts';
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
  const positives = await vectorsOf(request.positive, 'positive');
  const negatives = await vectorsOf(request.negative, 'negative');
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

  async function vectorsOf(given: readonly Example[], path: string): Promise<Float32Array[]> {
    const { profile, dims } = collection;
    const texts = given.flatMap((one) => ('text' in one ? one.text : []));
    for (const [n, one] of given.entries()) if ('text' in one) checkText(one.text, `${path}/${n}/text`);
    const embedded =
      texts.length === 0
        ? undefined
        : await lane.ask({ task: 'embed', model: profile.model, inputs: texts, role: 'document' });
    const places = given.flatMap((one, n) => ('text' in one ? `${path}/${n}/text` : []));
    refuseUnknown(embedded?.unknown ?? [], profile.model, (n) => places[n] ?? path);
    const keys = given.flatMap((one) =>
      'id' in one ? { id: one.id as DocumentId, tenant: (tenant ?? DEFAULT_TENANT) as TenantId } : [],
    );
    const known = new Map<string, Float32Array>();
    for (const key of keys) {
      if (known.has(key.id)) continue;
      const vectors = (await store.getPoints(name, [key])).map(({ dense }) => dense);
      if (vectors.length > 0) known.set(key.id, combineExamples(vectors, []));
    }
    let text = 0;
    return given.map((one, n) => {
      if ('text' in one) {
        text += 1;
        return embedded === undefined ? new Float32Array() : vectorAt(embedded, text - 1, dims);
      }
      const vector = known.get(one.id);
      if (vector !== undefined) return vector;
      const message = `the collection ${name} has no document ${JSON.stringify(one.id)}`;
      throw new EmbedmillError('invalid_request', message, {
        details: [{ path: `${path}/${n}/id`, message }],
      });
    });
  }
}
