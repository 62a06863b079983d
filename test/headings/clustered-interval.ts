import type { Interval } from '@embedmill/retrieval';

const RESAMPLES = 2000;
const SEED = 20_261_201;

/**
 * The mean of values, with a 95 % bootstrap interval that resamples whole clusters (Field and Welsh, 2007): values of
 * one cluster are alike, so the sample is effectively smaller than it seems.
 */
export function clusteredInterval(values: readonly number[], clusters: readonly number[]): Interval {
  const groups = [...Map.groupBy(values.entries(), ([n]) => clusters[n]).values()].map((own) => ({
    sum: own.reduce((sum, [, value]) => sum + value, 0),
    count: own.length,
  }));
  const random = randomNumbers(SEED);
  const means = Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    let count = 0;
    for (let n = 0; n < groups.length; n += 1) {
      const drawn = groups[random() % groups.length];
      sum += drawn?.sum ?? 0;
      count += drawn?.count ?? 0;
    }
    return sum / count;
  }).toSorted((a, b) => a - b);
  const at = (part: number): number => means[Math.round(part * (means.length - 1))] ?? 0;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, low: at(0.025), high: at(0.975) };
}

/** Pseudo-random integers below 2^32 (xorshift32, Marsaglia 2003). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}
