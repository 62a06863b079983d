import type { DocumentReport } from '../../server/shapes.ts';

export interface ReasonGroup {
  readonly code: string;
  readonly retryable: boolean;
  /** The message of the first report. */
  readonly message: string;
  readonly reports: readonly DocumentReport[];
}

export interface Reports {
  readonly groups: readonly ReasonGroup[];
  readonly count: number;
  /** The number of reports that are not listed. */
  readonly more: number;
}

/** Groups reports by their code, most frequent first. */
export async function reportsOf(reports: AsyncGenerator<DocumentReport, number>): Promise<Reports> {
  const byCode = new Map<string, DocumentReport[]>();
  let next = await reports.next();
  for (; next.done !== true; next = await reports.next()) {
    const same = byCode.get(next.value.code);
    if (same === undefined) byCode.set(next.value.code, [next.value]);
    else same.push(next.value);
  }
  const groups = [...byCode]
    .map(([code, own]) => ({
      code,
      reports: own,
      retryable: own.some(({ retryable }) => retryable),
      message: own[0]?.message ?? '',
    }))
    .toSorted((a, b) => b.reports.length - a.reports.length);
  return { groups, more: next.value, count: groups.reduce((sum, group) => sum + group.reports.length, 0) };
}
