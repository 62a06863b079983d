import { z } from 'zod';
import {
  filterSchema,
  type Collection,
  type CollectionName,
  type PointId,
  type TenantId,
} from '@embedmill/jobs';
import { namedTenant } from '../access/principal.ts';
import type { PointPayload, RankedPoint, StoredPoint, VectorStore } from '@embedmill/vector-store';
import { AnswerRoom, sizeOf } from './answer-size.ts';
import { LoopShare } from '../http/loop-share.ts';

export const nearDuplicatesRequestSchema = z
  .strictObject({
    threshold: z.number().min(0).max(1).default(0.95).meta({
      description: 'The cosine similarity at or above which two chunks count as near-duplicates.',
    }),
    points: z
      .int()
      .min(1)
      .max(5000)
      .default(500)
      .meta({ description: 'The number of points to check in this request.' }),
    after: z
      .uuid()
      .optional()
      .meta({ description: 'The `next` of an earlier request, to continue from there.' }),
    filter: filterSchema.optional(),
    tenant: z.string().min(1).max(128).optional(),
  })
  .meta({ id: 'NearDuplicatesRequest' });
export type NearDuplicatesRequest = z.infer<typeof nearDuplicatesRequestSchema>;

const sideSchema = z.strictObject({
  id: z.string(),
  tenant: z.string().optional(),
  chunk: z.int(),
  text: z.string(),
});
export const nearDuplicatesResponseSchema = z
  .strictObject({
    pairs: z.array(z.strictObject({ score: z.number(), first: sideSchema, second: sideSchema })),
    points: z.int().meta({ description: 'The number of points checked.' }),
    next: z.string().nullable().meta({ description: 'Pass this as `after` to continue; null at the end.' }),
  })
  .meta({ id: 'NearDuplicates' });
type Side = z.infer<typeof sideSchema>;
export type NearDuplicates = z.infer<typeof nearDuplicatesResponseSchema>;

/** The maximum number of near-duplicates listed for a point. */
const NEIGHBOURS = 32;
/** The number of neighbours searched to find those. */
const MOST_NEIGHBOURS = 2048;
/** The number of payloads in memory at once. */
const PAYLOADS_AT_ONCE = 64;
/** The number of points processed at once. */
const SCAN = 64;

/**
 * Pairs of nearly equal chunks of different documents, for a range of the collection's points in order of their ids;
 * each pair is returned once, at its first point. For a chunk with more than 32 near-duplicates after it, only the
 * nearest are returned, so that each of many equal chunks is in some pair.
 */
export async function nearDuplicates(
  { threshold, points: wanted, after, filter, tenant }: NearDuplicatesRequest,
  collection: Collection,
  store: VectorStore,
): Promise<NearDuplicates> {
  const name = collection.name as CollectionName;
  const selection = { filter, tenant: tenant as TenantId | undefined };
  const pairs: NearDuplicates['pairs'] = [];
  const room = new AnswerRoom();
  const share = new LoopShare();
  /** The documents of the points found so far, with few bytes each. */
  let documents = new Map<PointId, string>();
  let looked = 0;
  let last = after;
  while (looked < wanted) {
    const asked = Math.min(wanted - looked, SCAN);
    const points = await store.scanPoints(name, {
      ...selection,
      limit: asked,
      after: last as PointId | undefined,
    });
    documents = new Map();
    const behind = await neighboursBehind(points);
    for (const [n, point] of points.entries()) {
      await share.step();
      const first = sideOf(point.payload);
      const found = behind[n] ?? [];
      const sides = new Map<PointId, Side>();
      for await (const [id, payload] of payloadsOf(found.map(({ id }) => id))) sides.set(id, sideOf(payload));
      const seconds = found.flatMap(({ id, score }) => {
        const second = sides.get(id);
        return second === undefined ? [] : [{ score, first, second }];
      });
      const size = seconds.reduce((sum, { second }) => sum + sizeOf(first) + sizeOf(second), 0);
      if (!room.take(size)) return answer(last ?? null);
      pairs.push(...seconds);
      looked += 1;
      last = point.id;
    }
    if (points.length < asked) return answer(null);
  }
  return answer(last ?? null);

  function answer(next: string | null): NearDuplicates {
    return { pairs: pairs.toSorted((a, b) => b.score - a.score), points: looked, next };
  }

  /** For each point, the near-duplicates in other documents with ids after its own, nearest first. */
  async function neighboursBehind(points: readonly StoredPoint[]): Promise<RankedPoint[][]> {
    const behind = points.map((): RankedPoint[] => []);
    let open = [...points.keys()];
    // Chunks of the same document are not duplicates of each other.
    const longest = points.reduce((most, { payload }) => Math.max(most, payload.chunk_count), 0);
    const first = Math.min(NEIGHBOURS + longest, MOST_NEIGHBOURS);
    for (let limit = first; open.length > 0; limit = Math.min(limit * 4, MOST_NEIGHBOURS)) {
      const ids = open.flatMap((n) => points[n]?.id ?? []);
      const near = await store.findNear(name, ids, { ...selection, threshold, limit });
      const unread = new Set(
        near.flatMap((found, n) => found.flatMap(({ id }) => (isBehind(id, n) ? id : []))),
      );
      // There may be very many points, so only their documents are kept.
      for await (const [id, payload] of payloadsOf([...unread])) documents.set(id, documentOf(payload));
      const again: number[] = [];
      for (const [n, at] of open.entries()) {
        await share.step();
        const payload = points[at]?.payload;
        const own = payload && documentOf(payload);
        const others = (near[n] ?? []).filter(({ id }) => {
          const document = id > (ids[n] ?? '') ? documents.get(id) : undefined;
          return document !== undefined && document !== own;
        });
        behind[at] = others.slice(0, NEIGHBOURS);
        const isAll = (near[n]?.length ?? 0) < limit || limit >= MOST_NEIGHBOURS;
        if (others.length < NEIGHBOURS && !isAll) again.push(at);
      }
      open = again;

      function isBehind(id: PointId, n: number): boolean {
        return id > (ids[n] ?? '') && !documents.has(id);
      }
    }
    return behind;
  }

  /** The payloads of points, a limited number of them in memory. */
  async function* payloadsOf(ids: readonly PointId[]): AsyncGenerator<[PointId, PointPayload]> {
    for (let from = 0; from < ids.length; from += PAYLOADS_AT_ONCE)
      yield* await store.getPayloads(name, ids.slice(from, from + PAYLOADS_AT_ONCE));
  }
}

function documentOf({ tenant, document_id: id }: PointPayload): string {
  return JSON.stringify([tenant, id]);
}

function sideOf({ document_id: id, tenant, chunk_index: chunk, text }: PointPayload): Side {
  return { id, ...namedTenant(tenant), chunk, text };
}
