import type { Collection, SparseScheme } from '@embedmill/jobs';
import { analyzerOf, termNames } from '@embedmill/sparse-weighting';
import type { QueryLane } from '../query-lane.ts';

/**
 * What term ids stand for: of a network's vocabulary its pieces, of counted words those of the texts, as they stand
 * there; a term that none of the texts has is left out.
 */
export async function sparseTerms(
  scheme: SparseScheme,
  ids: Iterable<number>,
  texts: readonly string[],
  { profile: { sparse }, analysis }: Collection,
  lane: QueryLane,
): Promise<Map<number, string>> {
  const { bm25, bm42, splade } = sparse;
  switch (scheme) {
    case 'splade': {
      const inputs = [...ids];
      if (splade === undefined || inputs.length === 0) return new Map();
      const { terms } = await lane.ask({ task: 'terms', model: splade.model, inputs });
      return new Map(inputs.map((id, n) => [id, terms[n] ?? '']));
    }
    case 'bm25':
      return termNames(texts, analyzerOf(bm25?.language ?? 'none', analysis));
    case 'bm42':
      return termNames(texts, analyzerOf(bm42?.language ?? 'none', analysis));
  }
}
