import {
  DEFAULT_TENANT,
  EmbedmillError,
  type Collection,
  type CollectionName,
  type DocumentId,
  type Example,
  type Filter,
  type RecommendRequest,
  type TenantId,
} from '@embedmill/jobs';
import { combineExamples, likeness } from '@embedmill/retrieval';
import type { ScoredPoint, VectorStore } from '@embedmill/vector-store';
import { LoopShare } from '../loop-share.ts';
import { checkText, refuseUnknown, vectorAt, type QueryLane } from '../query-lane.ts';
import { documentOf, pageOfBlocks, type Block } from './blocks.ts';
import { firstDepthOf, type Found } from './search.ts';
import { documentPoints } from './stored.ts';

/** Hits of each example that `best` looks at first. */
const BEST_DEPTH = 200;

/**
 * The points that are like the positives and unlike the negatives, best first; documents that are examples themselves
 * are left out. Errors: `invalid_request` for an id that is not there.
 */
export async function recommendPoints(
  request: RecommendRequest,
  collection: Collection,
  { store, lane }: { store: VectorStore; lane: QueryLane },
): Promise<Found[]> {
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
  const groupOf = request.group ? documentOf : undefined;
  return strategy === 'average'
    ? pageOfBlocks(request, { first: firstDepthOf(collection, offset + limit), lists: 1 }, average, groupOf)
    : pageOfBlocks(request, { first: BEST_DEPTH, lists: positives.length }, best, groupOf);

  async function average(depth: number): Promise<Block> {
    const points = await nearest(combineExamples(positives, negatives), depth);
    const found = points.map((point) => ({ point, score: point.score, scores: { dense: point.score } }));
    return { found, isAll: points.length < depth };
  }

  /** What is near any of the positives; of that, what is nearer to a negative comes last. */
  async function best(depth: number): Promise<Block> {
    const lists = await Promise.all(positives.map((values) => nearest(values, depth)));
    const payloads = lists.flat().map(({ payload }) => payload);
    const points = new Map(lists.flat().map((point) => [point.id, point]));
    const found: Found[] = [];
    const share = new LoopShare();
    for await (const { id, dense } of documentPoints(store, name, payloads)) {
      const point = points.get(id);
      if (point === undefined) continue;
      found.push({ point, score: likeness(dense, positives, negatives), scores: {} });
      await share.step();
    }
    return {
      found: found.toSorted((a, b) => b.score - a.score || (a.point.id < b.point.id ? -1 : 1)),
      isAll: lists.every((list) => list.length < depth),
    };
  }

  function nearest(values: Float32Array, limit: number): Promise<ScoredPoint[]> {
    return store.search(name, { vector: { kind: 'dense', values }, limit, offset: 0, ...selection });
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
      const message = `there is no document ${JSON.stringify(one.id)} in the collection ${name}`;
      throw new EmbedmillError('invalid_request', message, {
        details: [{ path: `${path}/${n}/id`, message }],
      });
    });
  }
}
