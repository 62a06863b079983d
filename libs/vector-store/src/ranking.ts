import type { PointId } from '@embedmill/jobs';

/** A point that was found, and how near it is. */
export interface Ranked {
  id: PointId;
  score: number;
}

/** What a look at so many of the nearest points gave. */
export interface Looked<T extends Ranked> {
  points: T[];
  /** The lowest score that was looked at. */
  least: number;
  /** Whether there is nothing behind them. */
  isAll: boolean;
}

/**
 * The first of all points, best first and those of equal scores by id: so what is found for one limit is the beginning of
 * what is found for another. No store orders equal scores the same for different limits; so it is asked for more and more
 * until all those are there that score as much as the last one wanted.
 *
 * @param most how many may be looked at; what scores alike beyond that may be cut anywhere
 */
export async function firstInOrder<T extends Ranked>(
  wanted: number,
  most: number,
  look: (depth: number) => Promise<Looked<T>>,
): Promise<T[]> {
  // One more than wanted: mostly it scores less than the last one, which settles it.
  for (let depth = Math.min(wanted + 1, most); ; depth = Math.min(depth * 4, most)) {
    const { points, least, isAll } = await look(depth);
    points.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
    const last = points[wanted - 1];
    const isWhole = last !== undefined && least < last.score;
    if (isWhole || isAll || depth === most) return points.slice(0, wanted);
  }
}
