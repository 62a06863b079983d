/** The relevance of each document to a query, by id; unjudged documents count as irrelevant. */
export type Relevance = ReadonlyMap<string, number>;

/**
 * Normalised discounted cumulative gain at rank k (Järvelin and Kekäläinen, 2002), with grades as gains, as in BEIR and
 * trec_eval: Σ grade / log2(rank + 1) over the first k, divided by the value for the ideal order of all judged
 * documents.
 */
export function ndcgAt(k: number, ranking: readonly string[], relevance: Relevance): number {
  const gains = ranking.slice(0, k).map((id) => Math.max(0, relevance.get(id) ?? 0));
  const best = [...relevance.values()].filter((grade) => grade > 0).toSorted((a, b) => b - a);
  const ideal = discounted(best.slice(0, k));
  return ideal === 0 ? 0 : discounted(gains) / ideal;
}

/** The share of the relevant documents among the first k. */
export function recallAt(k: number, ranking: readonly string[], relevance: Relevance): number {
  const relevant = [...relevance.values()].filter((grade) => grade > 0).length;
  if (relevant === 0) return 0;
  return ranking.slice(0, k).filter((id) => (relevance.get(id) ?? 0) > 0).length / relevant;
}

/** The reciprocal rank of the first relevant document; 0 if there is none. Its mean over queries is the MRR. */
export function reciprocalRank(ranking: readonly string[], relevance: Relevance): number {
  const first = ranking.findIndex((id) => (relevance.get(id) ?? 0) > 0);
  return first === -1 ? 0 : 1 / (first + 1);
}

export interface Interval {
  mean: number;
  low: number;
  high: number;
}

const RESAMPLES = 2000;
const SEED = 20_261_124;

/**
 * The mean with its 95 % confidence interval by Efron's percentile bootstrap (1979). The same values give the same
 * interval. Needs at least one value.
 */
export function meanInterval(values: readonly number[], resamples = RESAMPLES): Interval {
  const random = randomNumbers(SEED);
  const means = Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let n = 0; n < values.length; n += 1) sum += values[random() % values.length] ?? 0;
    return sum / values.length;
  }).toSorted((a, b) => a - b);
  const at = (part: number) => means[Math.round(part * (means.length - 1))] ?? 0;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, low: at(0.025), high: at(0.975) };
}

function discounted(gains: readonly number[]): number {
  return gains.reduce((sum, gain, n) => sum + gain / Math.log2(n + 2), 0);
}

/** Pseudo-random integers below 2^32 (xorshift32, Marsaglia 2003). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
