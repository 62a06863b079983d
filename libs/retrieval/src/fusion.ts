/** Hits of one list, best first. */
export interface RankedList {
  readonly weight: number;
  readonly hits: readonly ScoredKey[];
}

export interface ScoredKey {
  readonly key: string;
  readonly score: number;
}

/**
 * Reciprocal rank fusion (Cormack et al., 2009): the sum of weight / (k + rank) over the lists that have a hit, ranks
 * counted from 1, and the same for equal scores: one more than the number of hits that are better. Best first; of equal ones
 * the one that came first in the lists.
 */
export function fuseByRank(lists: readonly RankedList[], k: number): ScoredKey[] {
  return summed(lists, ({ weight, hits }) => {
    let rank = 0;
    return hits.map(({ score }, n) => {
      if (n === 0 || score !== hits[n - 1]?.score) rank = n + 1;
      return weight / (k + rank);
    });
  });
}

/** Standard deviations on each side of the mean that are scaled to 0 to 1. */
const SPREAD = 3;

/**
 * Distribution-based score fusion (Mazzeschi, 2023): each list's scores are scaled so that its mean less three standard
 * deviations is 0 and its mean plus three is 1, and summed by weight. A list whose scores are all equal gives 0.5 each.
 */
export function fuseByScore(lists: readonly RankedList[]): ScoredKey[] {
  return summed(lists, ({ weight, hits }) => {
    const { mean, deviation } = spreadOf(
      hits.map(({ score }) => score),
      1,
    );
    return hits.map(({ score }) =>
      deviation === 0 ? weight / 2 : weight * ((score - mean) / (2 * SPREAD * deviation) + 0.5),
    );
  });
}

/** Scores as deviations from their mean, in standard deviations; all 0 where they are equal. */
export function standardScores(scores: readonly number[]): number[] {
  const { mean, deviation } = spreadOf(scores, 0);
  return scores.map((score) => (deviation === 0 ? 0 : (score - mean) / deviation));
}

function spreadOf(scores: readonly number[], correction: 0 | 1): { mean: number; deviation: number } {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const squares = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / Math.max(1, scores.length - correction));
  // What is left of equal scores by rounding is no spread.
  return { mean, deviation: deviation > 1e-9 * Math.abs(mean) ? deviation : 0 };
}

function summed(lists: readonly RankedList[], sharesOf: (list: RankedList) => number[]): ScoredKey[] {
  const scores = new Map<string, number>();
  for (const list of lists) {
    const shares = sharesOf(list);
    for (const [n, { key }] of list.hits.entries()) {
      scores.set(key, (scores.get(key) ?? 0) + (shares[n] ?? 0));
    }
  }
  return [...scores].map(([key, score]) => ({ key, score })).toSorted((a, b) => b.score - a.score);
}
