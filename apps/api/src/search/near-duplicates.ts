import { z } from 'zod';
import {
  filterSchema,
  type Collection,
  type CollectionName,
  type PointId,
  type TenantId,
} from '@embedmill/jobs';
import type { StoredPoint, VectorStore } from '@embedmill/vector-store';

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

/** Neighbours that each point is compared with, beside itself. */
const NEIGHBOURS = 32;

/**
 * Pairs of chunks of different documents that say nearly the same, for a stretch of the collection's points in the order
 * of their ids; each pair comes once, at its first point. Of a chunk with more than 32 near-duplicates, the nearest.
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
    const near = await store.search(name, {
      ...{ vector: { kind: 'dense' as const, values: point.dense }, ...selection },
      // The point itself is among them, and what is longer than one chunk has neighbours of its own.
      ...{ limit: NEIGHBOURS + 1 + point.payload.chunk_count, offset: 0 },
    });
    for (const { id, score, payload } of near) {
      const isOther =
        payload.document_id !== point.payload.document_id || payload.tenant !== point.payload.tenant;
      if (score >= threshold && isOther && id > point.id)
        pairs.push({ score, first: sideOf(point.payload), second: sideOf(payload) });
    }
  }
  const last = points.at(-1);
  return {
    pairs: pairs.toSorted((a, b) => b.score - a.score),
    points: points.length,
    next: points.length < wanted || last === undefined ? null : last.id,
  };
}

function sideOf({ document_id: id, chunk_index: chunk, text }: StoredPoint['payload']) {
  return { id, chunk, text };
}
