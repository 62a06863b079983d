import type { Analyzer } from '@embedmill/sparse-weighting';

const WORDS = 5;
/** A word must be in at least this many of a cluster's texts to describe it. */
const LEAST_TEXTS = 2;
/** The characters read of each text; the beginning of a long one is enough to label a cluster. */
const READ_CHARACTERS = 2000;

interface TermCounts {
  /** As written in the first text that has it. */
  word: string;
  all: number;
  byCluster: number[];
}

/**
 * The words that distinguish each cluster's texts from the others: terms as in BM25, without stop words, ranked by how
 * much more frequent they are in the cluster than overall, and shown as written.
 */
export function tellingWords(
  texts: readonly string[],
  clusterOf: readonly number[],
  clusters: number,
  analyzer: Analyzer,
): string[][] {
  const terms = new Map<string, TermCounts>();
  const sizes = Array.from({ length: clusters }, () => 0);
  for (const [n, text] of texts.entries()) {
    const cluster = clusterOf[n] ?? 0;
    sizes[cluster] = (sizes[cluster] ?? 0) + 1;
    const seen = new Set<string>();
    for (const { term, word } of analyzer.terms(text.slice(0, READ_CHARACTERS))) {
      if (term === undefined || seen.has(term)) continue;
      seen.add(term);
      const counts = terms.get(term) ?? { word, all: 0, byCluster: sizes.map(() => 0) };
      counts.all += 1;
      counts.byCluster[cluster] = (counts.byCluster[cluster] ?? 0) + 1;
      terms.set(term, counts);
    }
  }
  return sizes.map((size, cluster) => {
    const scored = [...terms.values()].flatMap(({ word, all, byCluster }) => {
      const here = byCluster[cluster] ?? 0;
      if (here < Math.min(LEAST_TEXTS, size)) return [];
      const share = here / Math.max(1, size);
      return [{ word, score: share * Math.log(share / (all / texts.length)) }];
    });
    const telling = scored.filter(({ score }) => score > 0).sort((a, b) => b.score - a.score);
    return telling.slice(0, WORDS).map(({ word }) => word);
  });
}
