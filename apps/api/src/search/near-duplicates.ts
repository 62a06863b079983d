import { z } from 'zod';
import {
  filterSchema,
  type Collection,
  type CollectionName,
  type PointId,
  type TenantId,
} from '@embedmill/jobs';
import { namedTenant } from '../access/principal.ts';
import type { PointPayload, ScoredPoint, StoredPoint, VectorStore } from '@embedmill/vector-store';
import { AnswerRoom, sizeOf } from '../answer-size.ts';
import { LoopShare } from '../loop-share.ts';

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

const sideSchema = z.strictObject({
  id: z.string(),
  tenant: z.string().optional(),
  chunk: z.int(),
  text: z.string(),
});
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
/** Points that are read, and looked around, at once. */
const SCAN = 64;

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
  const pairs: NearDuplicates['pairs'] = [];
  const room = new AnswerRoom();
  const share = new LoopShare();
  let looked = 0;
  let last = after;
  while (looked < wanted) {
    const asked = Math.min(wanted - looked, SCAN);
    const points = await store.scanPoints(name, {
      ...selection,
      limit: asked,
      after: last as PointId | undefined,
    });
    const behind = await neighboursBehind(points);
    for (const [n, point] of points.entries()) {
      await share.step();
      const first = sideOf(point.payload);
      const found = behind[n] ?? [];
      const size = found.reduce((sum, { payload }) => sum + sizeOf(first) + payload.text.length, 0);
      if (!room.take(size)) return answer(last ?? null);
      for (const { score, payload } of found) pairs.push({ score, first, second: sideOf(payload) });
      looked += 1;
      last = point.id;
    }
    if (points.length < asked) return answer(null);
  }
  return answer(last ?? null);

  function answer(next: string | null): NearDuplicates {
    return { pairs: pairs.toSorted((a, b) => b.score - a.score), points: looked, next };
  }

  /** Of each point the near-duplicates in other documents whose ids come behind its own, the nearest first. */
  async function neighboursBehind(points: readonly StoredPoint[]): Promise<ScoredPoint[][]> {
    const payloads = new Map<PointId, PointPayload>();
    const behind = points.map((): ScoredPoint[] => []);
    let open = [...points.keys()];
    // What is longer than one chunk has neighbours of its own.
    const longest = points.reduce((most, { payload }) => Math.max(most, payload.chunk_count), 0);
    const first = Math.min(NEIGHBOURS + longest, MOST_NEIGHBOURS);
    for (let limit = first; open.length > 0; limit = Math.min(limit * 4, MOST_NEIGHBOURS)) {
      const ids = open.flatMap((n) => points[n]?.id ?? []);
      const near = await store.findNear(name, ids, { ...selection, threshold, limit });
      const unread = new Set(
        near.flatMap((found, n) => found.flatMap(({ id }) => (isBehind(id, n) ? id : []))),
      );
      for (const [id, payload] of await store.getPayloads(name, [...unread])) payloads.set(id, payload);
      const again: number[] = [];
      for (const [n, at] of open.entries()) {
        await share.step();
        const others = (near[n] ?? []).flatMap(({ id, score }) => {
          const payload = id > (ids[n] ?? '') ? payloads.get(id) : undefined;
          return payload === undefined || isSameDocument(payload, points[at]?.payload)
            ? []
            : [{ id, score, payload }];
        });
        behind[at] = others.slice(0, NEIGHBOURS);
        const isAll = (near[n]?.length ?? 0) < limit || limit >= MOST_NEIGHBOURS;
        if (others.length < NEIGHBOURS && !isAll) again.push(at);
      }
      open = again;

      function isBehind(id: PointId, n: number): boolean {
        return id > (ids[n] ?? '') && !payloads.has(id);
      }
    }
    return behind;
  }
}

function isSameDocument(a: PointPayload, b: PointPayload | undefined): boolean {
  return a.document_id === b?.document_id && a.tenant === b.tenant;
}

function sideOf({ document_id: id, tenant, chunk_index: chunk, text }: StoredPoint['payload']) {
  return { id, ...namedTenant(tenant), chunk, text };
}
