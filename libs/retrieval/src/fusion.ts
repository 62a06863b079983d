/** Hits of one list, best first. */
export interface RankedList {
  readonly weight: number;
  /** Its name in the `parts` of fused hits; a list without a name is omitted there. */
  readonly name?: string | undefined;
  readonly hits: readonly ScoredKey[];
  /** The score of all other documents, if known: 0 for a list of all documents that share a word with the query. */
  readonly others?: number | undefined;
}

export interface ScoredKey {
  readonly key: string;
  readonly score: number;
}

export interface FusedKey extends ScoredKey {
  /** The contribution to the score of the lists with each name. */
  readonly parts?: Readonly<Record<string, number>>;
}

/**
 * Reciprocal rank fusion (Cormack et al., 2009): the sum of weight / (k + rank) over the lists that contain a hit.
 * Ranks start at 1; equal scores share the rank one more than the number of better hits. Best first; ties keep the
 * order of the lists.
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

/** The number of standard deviations on each side of the mean that map to 0 and 1. */
const SPREAD = 3;

/**
 * Distribution-based score fusion (Mazzeschi, 2023): each list's scores are scaled so that the mean minus three
 * standard deviations is 0 and the mean plus three is 1, and then summed by weight. In a list of equal scores, each
 * counts 0.5.
 *
 * A document missing from a list counts there like the list's last hit, or as its `others` score if known, but at least
 * 0. With 0 in every case, as is usual, a document that matches only by meaning would rank below all that share a word.
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

/** Z-scores; all 0 if the scores are equal. */
export function standardScores(scores: readonly number[]): number[] {
  const { mean, deviation } = spreadOf(scores, 0);
  return scores.map((score) => (deviation === 0 ? 0 : (score - mean) / deviation));
}

function spreadOf(scores: readonly number[], correction: 0 | 1): { mean: number; deviation: number } {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const squares = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / Math.max(1, scores.length - correction));
  // Rounding errors of equal scores are not a spread.
  return { mean, deviation: deviation > 1e-9 * Math.abs(mean) ? deviation : 0 };
}

/** A list's contribution to each of its hits, and to all other documents. */
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
