import { z } from 'zod';
import {
  filterSchema,
  type Collection,
  type CollectionName,
  type PointId,
  type TenantId,
} from '@embedmill/jobs';
import type { ScoredPoint, StoredPoint, VectorStore } from '@embedmill/vector-store';

export const nearDuplicatesRequestSchema = z.strictObject({
  threshold: z.number().min(0).max(1).default(0.95).meta({
    description: 'Cosine similarity from which two chunks are near-duplicates.',
  }),
  points: z
    .int()
    .min(1)
    .max(5000)
    .default(500)
    .meta({ description: 'Points that are looked at in this request.' }),
  after: z.uuid().optional().meta({ description: 'Where an earlier request ended: its `next`.' }),
  filter: filterSchema.optional(),
  tenant: z.string().min(1).max(128).optional(),
});
export type NearDuplicatesRequest = z.infer<typeof nearDuplicatesRequestSchema>;

const sideSchema = z.strictObject({ id: z.string(), chunk: z.int(), text: z.string() });
export const nearDuplicatesResponseSchema = z.strictObject({
  pairs: z.array(z.strictObject({ score: z.number(), first: sideSchema, second: sideSchema })),
  points: z.int().meta({ description: 'Points that were looked at.' }),
  next: z.string().nullable().meta({ description: 'Ask again with this as `after`; null at the end.' }),
});
export type NearDuplicates = z.infer<typeof nearDuplicatesResponseSchema>;

/** Near-duplicates of a point that are told at it. */
const NEIGHBOURS = 32;
/** Neighbours that are looked at to find those. */
const MOST_NEIGHBOURS = 2048;

/**
 * Pairs of chunks of different documents that say nearly the same, for a stretch of the collection's points in the order
 * of their ids; each pair comes once, at its first point. Of a chunk with more than 32 near-duplicates behind it, the nearest
 * of those, so that each of many equal chunks is in some pair.
 */
export async function nearDuplicates(
  { threshold, points: wanted, after, filter, tenant }: NearDuplicatesRequest,
  collection: Collection,
  store: VectorStore,
): Promise<NearDuplicates> {
  const name = collection.name as CollectionName;
  const selection = { filter, tenant: tenant as TenantId | undefined };
  const points = await store.scanPoints(name, {
    ...selection,
    limit: wanted,
    after: after as PointId | undefined,
  });
  const pairs: NearDuplicates['pairs'] = [];
  for (const point of points) {
    for (const { score, payload } of await behind(point))
      pairs.push({ score, first: sideOf(point.payload), second: sideOf(payload) });
  }
  const last = points.at(-1);
  return {
    pairs: pairs.toSorted((a, b) => b.score - a.score),
    points: points.length,
    next: points.length < wanted || last === undefined ? null : last.id,
  };

  /** The near-duplicates of a point in other documents whose ids come behind its own, the nearest first. */
  async function behind({ id: own, dense: values, payload: its }: StoredPoint): Promise<ScoredPoint[]> {
    // The point itself is among them, and what is longer than one chunk has neighbours of its own.
    for (let limit = NEIGHBOURS + 1 + its.chunk_count; ; limit = Math.min(limit * 4, MOST_NEIGHBOURS)) {
      const vector = { kind: 'dense' as const, values };
      const near = await store.search(name, { vector, limit, offset: 0, ...selection });
      const isAll = near.length < limit || (near.at(-1)?.score ?? 0) < threshold;
      const others = near.filter(
        ({ id, score, payload }) =>
          score >= threshold &&
          id > own &&
          (payload.document_id !== its.document_id || payload.tenant !== its.tenant),
      );
      if (others.length >= NEIGHBOURS || isAll || limit >= MOST_NEIGHBOURS)
        return others.slice(0, NEIGHBOURS);
    }
  }
}

function sideOf({ document_id: id, chunk_index: chunk, text }: StoredPoint['payload']) {
  return { id, chunk, text };
}
