import { addedUsage, type DailyUsage, type UsageAmounts } from '@embedmill/jobs';
import type { Count } from './broker.ts';
import type { IngestRecord } from './ingest-record.ts';

/** The dimensions of usage. An empty name stands for none. */
export interface UsageOf {
  key: string;
  tenant: string;
  collection: string;
  model: string;
}

export interface UsageEntry extends UsageOf, UsageAmounts {
  day: string;
}

const UNITS = ['documents', 'tokens', 'engineMs'] as const;
type Unit = (typeof UNITS)[number];

/** The broker's counts of one day. */
export const usageCounts = (day: string): string => `usage:${day}`;

/** The dimensions of a job's usage. */
export function usageOwner({
  key,
  tenant,
  collection,
}: Pick<IngestRecord, 'key' | 'tenant' | 'collection'>): UsageOf {
  return {
    key: key ?? '',
    tenant: tenant ?? '',
    collection: collection.name,
    model: collection.profile.model,
  };
}

/** The additions to the broker's counts for it. */
export function countsOf({ key, tenant, collection, model }: UsageOf, usage: DailyUsage): Count[] {
  const name = JSON.stringify([key, tenant, collection, model]);
  return Object.entries(usage).flatMap(([day, amounts]) =>
    UNITS.flatMap((unit) =>
      amounts[unit] === 0 ? [] : [{ counts: usageCounts(day), field: `${unit} ${name}`, by: amounts[unit] }],
    ),
  );
}

/** Sums usage by its dimensions: a day's counts, and the usage of known jobs. */
export class UsageSum {
  readonly #entries = new Map<string, UsageEntry>();

  get entries(): UsageEntry[] {
    return [...this.#entries.values()];
  }

  add({ key, tenant, collection, model }: UsageOf, day: string, amounts: UsageAmounts): void {
    const id = JSON.stringify([day, key, tenant, collection, model]);
    const entry = this.#entries.get(id);
    const { documents, tokens, engineMs } = entry === undefined ? amounts : addedUsage(entry, amounts);
    this.#entries.set(id, { day, key, tenant, collection, model, documents, tokens, engineMs });
  }

  addCounts(day: string, counts: Readonly<Record<string, number>>): void {
    for (const [field, value] of Object.entries(counts)) {
      const at = field.indexOf(' ');
      const unit = UNITS.find((one) => one === field.slice(0, at));
      const names: unknown = JSON.parse(field.slice(at + 1));
      if (unit === undefined || !isNames(names)) continue;
      const [key, tenant, collection, model] = names;
      this.add({ key, tenant, collection, model }, day, only(unit, value));
    }
  }
}

export function amountsOf({ documents, tokens, engineMs }: UsageAmounts): UsageAmounts {
  return { documents, tokens, engineMs };
}

function only(unit: Unit, value: number): UsageAmounts {
  const amounts = { documents: 0, tokens: 0, engineMs: 0 };
  amounts[unit] = value;
  return amounts;
}

function isNames(value: unknown): value is [string, string, string, string] {
  return Array.isArray(value) && value.length === 4 && value.every((name) => typeof name === 'string');
}
