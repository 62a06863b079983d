import { dayOf, EmbedmillError } from '@embedmill/jobs';
import type { Queue, UsageEntry } from '@embedmill/queue';
import type { Allowance, Allowances } from './allowances.ts';
import type { Principal } from './principal.ts';

const DAY_MS = 24 * 3600 * 1000;
/** The tolerated age of the figures for quotas, because summing them up reads all jobs. */
const FRESH_MS = 2000;

/** The usage of a day, and the remaining work of accepted jobs. */
interface Today {
  day: string;
  at: number;
  entries: UsageEntry[];
}

/**
 * Whether a key or its tenant has quota left today (UTC). The estimated remaining work of accepted jobs counts as used, so
 * that nobody can submit a quota many times before the first part is done; a quota never stops an accepted job. Figures are
 * some seconds old, so concurrent requests may exceed the quota by their own size.
 */
export class Quotas {
  readonly #queue: Pick<Queue, 'usage' | 'workAhead'>;
  readonly #allowances: Allowances;
  readonly #onRefused: (by: 'key' | 'tenant') => void;
  #today: Promise<Today> | undefined;
  #readAt = 0;

  constructor(
    queue: Pick<Queue, 'usage' | 'workAhead'>,
    allowances: Allowances,
    onRefused: (by: 'key' | 'tenant') => void,
  ) {
    this.#queue = queue;
    this.#allowances = allowances;
    this.#onRefused = onRefused;
  }

  /**
   * Throws `quota_exhausted` with when it opens again.
   *
   * @param work `job`: new documents; `query`: only tokens
   */
  async check(
    { name, tenant }: Pick<Principal, 'name' | 'tenant'>,
    work: 'job' | 'query',
    now = Date.now(),
  ): Promise<void> {
    const asked: [by: 'key' | 'tenant', name: string, allowance: Allowance][] = [
      ['key', name, this.#allowances.ofKey(name)],
    ];
    if (tenant !== undefined) asked.push(['tenant', tenant, this.#allowances.ofTenant(tenant)]);
    for (const [by, owner, { documentsPerDay = Infinity, tokensPerDay = Infinity }] of asked) {
      if (documentsPerDay === Infinity && tokensPerDay === Infinity) continue;
      const used = { documents: 0, tokens: 0 };
      for (const entry of (await this.#usedToday(now)).entries) {
        if (entry[by] !== owner) continue;
        used.documents += entry.documents;
        used.tokens += entry.tokens;
      }
      if (work === 'job' && used.documents >= documentsPerDay)
        throw this.#refusal(by, owner, `${documentsPerDay} documents`, now);
      if (used.tokens >= tokensPerDay) throw this.#refusal(by, owner, `${tokensPerDay} tokens`, now);
    }
  }

  #refusal(by: 'key' | 'tenant', name: string, what: string, now: number): EmbedmillError {
    this.#onRefused(by);
    const opens = Math.floor(now / DAY_MS) * DAY_MS + DAY_MS;
    const message =
      `the ${by} ${JSON.stringify(name)} has used today’s quota of ${what}, including what its jobs still have to do; ` +
      `it can submit again at ${new Date(opens).toISOString()}`;
    return new EmbedmillError('quota_exhausted', message, { retryAfter: Math.ceil((opens - now) / 1000) });
  }

  async #usedToday(now: number): Promise<Today> {
    const known = await this.#today?.catch(() => undefined);
    if (known !== undefined && known.day === dayOf(now) && now - this.#readAt < FRESH_MS) return known;
    this.#readAt = now;
    this.#today = this.#read(now);
    return this.#today;
  }

  async #read(now: number): Promise<Today> {
    const day = dayOf(now);
    const [used, ahead] = await Promise.all([this.#queue.usage(day, day), this.#queue.workAhead()]);
    return { day, at: now, entries: [...used, ...ahead] };
  }
}
