import type { Collection, SparseScheme } from '@embedmill/jobs';
import { analyzerOf, termNames, type Analyzer } from '@embedmill/sparse-weighting';
import { LoopShare } from '../http/loop-share.ts';
import type { QueryLane } from '../queries/query-lane.ts';

/**
 * The words of term ids: pieces of a network's vocabulary, or for counted words those in the texts, as written there;
 * terms without a word in the texts are omitted.
 */
export async function sparseTerms(
  scheme: SparseScheme,
  ids: ReadonlySet<number>,
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
      return namesIn(texts, ids, analyzerOf(bm25?.language ?? 'none', analysis));
    case 'bm42':
      return namesIn(texts, ids, analyzerOf(bm42?.language ?? 'none', analysis));
  }
}

/** The first word with the term is used. */
async function namesIn(
  texts: readonly string[],
  ids: ReadonlySet<number>,
  analyzer: Analyzer,
): Promise<Map<number, string>> {
  const names = new Map<number, string>();
  const share = new LoopShare();
  for (const text of texts) {
    if (names.size === ids.size) break;
    for (const [id, word] of termNames([text], analyzer))
      if (ids.has(id) && !names.has(id)) names.set(id, word);
    await share.step();
  }
  return names;
}
