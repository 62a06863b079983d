import type { UsageReport } from '../../server/shapes.ts';
import type { Series } from '../../parts/chart.tsx';

const DAY_MS = 24 * 3600_000;

/** The UTC day, as in `2026-11-30`, this many days before `now`. */
export function daysAgo(days: number, now: number): string {
  return new Date(now - days * DAY_MS).toISOString().slice(0, 10);
}

/** The tokens of each day of a report grouped by day; zero for days without a row. */
export function dailyTokens(
  { from, to, rows }: Pick<UsageReport, 'from' | 'to' | 'rows'>,
  name: string,
): { times: number[]; series: Series[] } {
  const byDay = new Map(rows.map(({ day, tokens }) => [day, tokens]));
  const count = (Date.parse(to) - Date.parse(from)) / DAY_MS + 1;
  const times = Array.from({ length: count }, (_, n) => Date.parse(from) + n * DAY_MS);
  const values = times.map((time) => byDay.get(new Date(time).toISOString().slice(0, 10)) ?? 0);
  return { times, series: [{ name, values }] };
}
