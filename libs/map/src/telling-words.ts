import type { Analyzer } from '@embedmill/sparse-weighting';

const WORDS = 5;
/** A word of fewer texts of a cluster tells nothing of it. */
const LEAST_TEXTS = 2;
/** Of a text; what a long one says first is enough to name a cluster by. */
const READ_CHARACTERS = 2000;

interface TermCounts {
  /** As it stands in the first text that has it. */
  word: string;
  all: number;
  byCluster: number[];
}

/**
 * What the texts of each cluster speak of and the others do not: terms as BM25 counts them, without stop words, by how
 * much more frequent they are here than everywhere; shown as the words that they are of.
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
