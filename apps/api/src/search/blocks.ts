import { bestOfEach } from '@embedmill/retrieval';
import type { Found } from './search.ts';

/** Hits of each list that the first block is made of, unless a request wants more. */
export const FIRST_DEPTH = 100;
/** The most hits of one list. */
const DEEPEST = 10_000;
/** How many times as deep each block looks as the one before. */
const DEEPER = 4;

/** What one look at the lists gave, best first. */
export interface Block {
  found: Found[];
  /** Whether the lists have nothing beyond. */
  isAll: boolean;
}

/**
 * A page of a ranking that does not depend on the page. What fusion and reranking make of lists depends on how deep these
 * are, so the depths are fixed: the ranking is what they make of the first `first` hits of each list, then what they find
 * more to a depth of four times as many, and so on. Whoever goes through pages of any size sees each hit once.
 *
 * @param first the depth of the first block
 * @param look makes the block of a depth; that of a smaller one has no others
 */
export async function pageOfBlocks(
  { limit, offset, group }: { limit: number; offset: number; group: boolean },
  first: number,
  look: (depth: number, isFirst: boolean) => Promise<Block>,
): Promise<Found[]> {
  const wanted = offset + limit;
  const ranked = new Map<string, Found>();
  for (let depth = first; ; depth = depth < FIRST_DEPTH ? FIRST_DEPTH : Math.min(depth * DEEPER, DEEPEST)) {
    const { found, isAll } = await look(depth, ranked.size === 0);
    for (const one of found) if (!ranked.has(one.point.id)) ranked.set(one.point.id, one);
    const hits = group ? bestOfEach([...ranked.values()], documentOf) : [...ranked.values()];
    if (hits.length >= wanted || isAll || depth === DEEPEST) return hits.slice(offset, wanted);
  }
}

const documentOf = ({ point: { payload } }: Found): string =>
  JSON.stringify([payload.tenant, payload.document_id]);
