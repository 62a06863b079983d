import type { PointId } from '@embedmill/jobs';

/** A found point with its score. */
export interface Ranked {
  id: PointId;
  score: number;
}

/** The result of reading this many of the nearest points. */
export interface Looked<T extends Ranked> {
  points: T[];
  /** The lowest score that was read. */
  least: number;
  /** Whether there are no further points. */
  isAll: boolean;
}

/**
 * The best points, ties by id, so that the result for one limit is a prefix of that for a larger one. No store orders
 * ties consistently for different limits, so more and more points are read until all that tie with the last wanted one
 * are included.
 *
 * @param most the maximum number of points to read; ties beyond it may be cut anywhere
 */
export async function firstInOrder<T extends Ranked>(
  wanted: number,
  most: number,
  look: (depth: number) => Promise<Looked<T>>,
): Promise<T[]> {
  // One more than needed: usually it scores less than the last one, so there is no tie.
  for (let depth = Math.min(wanted + 1, most); ; depth = Math.min(depth * 4, most)) {
    const { points, least, isAll } = await look(depth);
    points.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
    const last = points[wanted - 1];
    const isWhole = last !== undefined && least < last.score;
    if (isWhole || isAll || depth === most) return points.slice(0, wanted);
  }
}
