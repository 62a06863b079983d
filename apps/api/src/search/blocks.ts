import { bestOfEach } from '@embedmill/retrieval';
import type { RankedPoint } from '@embedmill/vector-store';

/** The depth of the first block in each list, unless a request needs more. */
export const FIRST_DEPTH = 100;
/** The most hits of one list. */
const DEEPEST = 10_000;
/** The most hits of all lists, which are in memory together. */
const MOST_HITS = 40_000;
/** The factor by which each block is deeper than the previous one. */
const DEEPER = 4;

/** The hits of one block, best first. */
export interface Block<T extends { point: RankedPoint }> {
  found: T[];
  /** Whether the lists have no further hits. */
  isAll: boolean;
}

/**
 * A page of a ranking that is independent of the page size. The results of fusion and reranking depend on the depth of
 * the lists, so the depths are fixed: the ranking consists of the results from the first `first` hits of each list,
 * then the further ones from four times that depth, and so on. Pages of any size show each hit once.
 *
 * @param depths `first`: the depth of the first block; `lists`: the number of lists, which bounds the depth
 * @param look creates the block of a depth; it includes all hits of a smaller depth
 * @param groupOf if given, only the best hit of each group is kept
 */
export async function pageOfBlocks<T extends { point: RankedPoint }>(
  { limit, offset }: { limit: number; offset: number },
  depths: { first: number; lists: number },
  look: (depth: number, isFirst: boolean) => Promise<Block<T>>,
  groupOf?: (one: T) => string,
): Promise<T[]> {
  const wanted = offset + limit;
  const ranked = new Map<string, T>();
  const deepest = Math.min(DEEPEST, Math.floor(MOST_HITS / Math.max(1, depths.lists)));
  const deeper = (depth: number) => Math.min(depth < FIRST_DEPTH ? FIRST_DEPTH : depth * DEEPER, deepest);
  for (let depth = Math.min(depths.first, deepest); ; depth = deeper(depth)) {
    const { found, isAll } = await look(depth, ranked.size === 0);
    for (const one of found) if (!ranked.has(one.point.id)) ranked.set(one.point.id, one);
    const all = [...ranked.values()];
    const hits = groupOf === undefined ? all : bestOfEach(all, groupOf);
    if (hits.length >= wanted || isAll || depth === deepest) return hits.slice(offset, wanted);
  }
}
