import { USAGE_DIMENSIONS, type UsageDimension, type UsageReport, type UsageRow } from '@embedmill/jobs';
import type { UsageEntry } from '@embedmill/queue';

/** By model, for a million tokens. */
export type Prices = ReadonlyMap<string, number>;

/**
 * Usage grouped by some dimensions, with an ordered row per group. Prices are for a model's tokens; a row of several models
 * costs the sum of those with a price.
 */
export function usageReport(
  entries: readonly UsageEntry[],
  {
    from,
    to,
    groupBy,
    prices,
  }: { from: string; to: string; groupBy: readonly UsageDimension[]; prices: Prices },
): UsageReport {
  const grouped = USAGE_DIMENSIONS.filter((dimension) => groupBy.includes(dimension));
  const rows = new Map<string, UsageRow>();
  for (const entry of entries) {
    const names = grouped.map((dimension) => entry[dimension]);
    const id = JSON.stringify(names);
    const row = rows.get(id) ?? emptyRow(entry, grouped);
    rows.set(id, withEntry(row, entry, prices));
  }
  let total = emptyRow(undefined, []);
  for (const entry of entries) total = withEntry(total, entry, prices);
  const { documents, tokens, engineSeconds, cost } = rounded(total);
  return {
    from,
    to,
    groupBy: grouped,
    rows: [...rows.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => rounded(row)),
    total: { documents, tokens, engineSeconds, cost },
  };
}

/** The report's rows as CSV (RFC 4180), with the columns that it was grouped by. */
export function usageCsv({ groupBy, rows }: UsageReport): string {
  const columns = [...groupBy, 'documents', 'tokens', 'engineSeconds', 'cost'] as const;
  const lines = [
    columns.join(','),
    ...rows.map((row) => columns.map((column) => cell(row[column])).join(',')),
  ];
  return lines.map((line) => `${line}\r\n`).join('');
}

function cell(value: string | number | null): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function emptyRow(entry: UsageEntry | undefined, grouped: readonly UsageDimension[]): UsageRow {
  const nameOf = (dimension: UsageDimension): string | null =>
    entry === undefined || !grouped.includes(dimension) || entry[dimension] === '' ? null : entry[dimension];
  return {
    day: nameOf('day'),
    key: nameOf('key'),
    tenant: nameOf('tenant'),
    collection: nameOf('collection'),
    model: nameOf('model'),
    documents: 0,
    tokens: 0,
    engineSeconds: 0,
    cost: null,
  };
}

function withEntry(
  row: UsageRow,
  { documents, tokens, engineMs, model }: UsageEntry,
  prices: Prices,
): UsageRow {
  const price = prices.get(model);
  return {
    ...row,
    documents: row.documents + documents,
    tokens: row.tokens + tokens,
    engineSeconds: row.engineSeconds + engineMs / 1000,
    cost: price === undefined ? row.cost : (row.cost ?? 0) + (tokens * price) / 1e6,
  };
}

/** Sums of fractions without binary rounding noise. */
function rounded(row: UsageRow): UsageRow {
  const { engineSeconds, cost } = row;
  return {
    ...row,
    engineSeconds: Number(engineSeconds.toFixed(3)),
    cost: cost === null ? null : Number(cost.toFixed(6)),
  };
}
