/**
 * ln(1 + (N − n + 0.5) / (n + 0.5)), above 0 for every n (Robertson and Spärck Jones's weight, with the 1 that Lucene
 * adds).
 *
 * @param points N: the number of points that have any term
 * @param withTerm n: the number of points that have this term
 */
export function inverseFrequency(points: number, withTerm: number): number {
  return Math.log1p((points - withTerm + 0.5) / (withTerm + 0.5));
}
