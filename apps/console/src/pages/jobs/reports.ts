import type { DocumentReport, MoreReports } from '@embedmill/jobs';

export interface ReasonGroup {
  readonly code: string;
  readonly retryable: boolean;
  /** What is said of the first of them. */
  readonly message: string;
  readonly reports: readonly DocumentReport[];
}

export interface Reports {
  readonly groups: readonly ReasonGroup[];
  readonly count: number;
  /** How many there are that are not named. */
  readonly more: number;
}

/** Reports by what they are of, the most first. */
export function reportsOf(lines: readonly (DocumentReport | MoreReports)[]): Reports {
  const byCode = new Map<string, DocumentReport[]>();
  let more = 0;
  for (const line of lines) {
    if ('more' in line) {
      more += line.more;
      continue;
    }
    const same = byCode.get(line.code);
    if (same === undefined) byCode.set(line.code, [line]);
    else same.push(line);
  }
  const groups = [...byCode]
    .map(([code, reports]) => ({
      code,
      reports,
      retryable: reports.some(({ retryable }) => retryable),
      message: reports[0]?.message ?? '',
    }))
    .toSorted((a, b) => b.reports.length - a.reports.length);
  return { groups, more, count: groups.reduce((sum, { reports }) => sum + reports.length, 0) };
}
