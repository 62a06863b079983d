/** Hits of one list, best first. */
export interface RankedList {
  readonly weight: number;
  /** What `parts` of fused hits call it; without a name they leave it out. */
  readonly name?: string | undefined;
  readonly hits: readonly ScoredKey[];
  /** What everything else would score, where that is known: 0 of a list of all that share a word with the question. */
  readonly others?: number | undefined;
}

export interface ScoredKey {
  readonly key: string;
  readonly score: number;
}

export interface FusedKey extends ScoredKey {
  /** What of the score came from the lists of each name. */
  readonly parts?: Readonly<Record<string, number>>;
}

/**
 * Reciprocal rank fusion (Cormack et al., 2009): the sum of weight / (k + rank) over the lists that have a hit, ranks
 * counted from 1, and the same for equal scores: one more than the number of hits that are better. Best first; of equal ones
 * the one that came first in the lists.
 */
export function fuseByRank(lists: readonly RankedList[], k: number): FusedKey[] {
  return summed(lists, ({ weight, hits }) => {
    let rank = 0;
    const found = hits.map(({ score }, n) => {
      if (n === 0 || score !== hits[n - 1]?.score) rank = n + 1;
      return weight / (k + rank);
    });
    return { found, unfound: 0 };
  });
}

/** Standard deviations on each side of the mean that are scaled to 0 to 1. */
const SPREAD = 3;

/**
 * Distribution-based score fusion (Mazzeschi, 2023): each list's scores are scaled so that its mean less three standard
 * deviations is 0 and its mean plus three is 1, and summed by weight. A list whose scores are all equal gives 0.5 each.
 *
 * What a list has not found counts there as its last hit, or, where `others` says what it would score, as that, 0 at
 * least. With 0 in any case, as is usual, what answers by its meaning alone comes behind all that share some word.
 */
export function fuseByScore(lists: readonly RankedList[]): FusedKey[] {
  return summed(lists, ({ weight, hits, others }) => {
    const { mean, deviation } = spreadOf(
      hits.map(({ score }) => score),
      1,
    );
    const scaled = (score: number): number =>
      deviation === 0 ? 0.5 : (score - mean) / (2 * SPREAD * deviation) + 0.5;
    const last = hits.at(-1);
    if (last === undefined) return { found: [], unfound: 0 };
    const least = scaled(last.score);
    const unfound =
      others === undefined ? least : deviation === 0 ? 0 : Math.max(0, Math.min(least, scaled(others)));
    return { found: hits.map(({ score }) => weight * scaled(score)), unfound: weight * unfound };
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

/** What a list gives to each of its hits, and to what is none of them. */
interface Shares {
  found: number[];
  unfound: number;
}

function summed(lists: readonly RankedList[], sharesOf: (list: RankedList) => Shares): FusedKey[] {
  const parts = new Map<string, Record<string, number>>();
  const scores = new Map<string, number>();
  for (const { hits } of lists) for (const { key } of hits) scores.set(key, 0);
  for (const list of lists) {
    const { found, unfound } = sharesOf(list);
    const own = new Map(list.hits.map(({ key }, n) => [key, found[n] ?? 0]));
    for (const [key, score] of scores) {
      const part = own.get(key) ?? unfound;
      scores.set(key, score + part);
      if (list.name !== undefined) parts.set(key, withPart(parts.get(key), list.name, part));
    }
  }
  return [...scores]
    .map(([key, score]) => fusedKey(key, score, parts.get(key)))
    .toSorted((a, b) => b.score - a.score);
}

function withPart(parts: Record<string, number> = {}, name: string, part: number): Record<string, number> {
  parts[name] = (parts[name] ?? 0) + part;
  return parts;
}

function fusedKey(key: string, score: number, parts: FusedKey['parts']): FusedKey {
  return parts === undefined ? { key, score } : { key, score, parts };
}
