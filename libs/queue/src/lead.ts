/**
 * The lead of a model's queue over its workers (backpressure): so few shards wait that a new job is hardly delayed by them,
 * and so many that no worker is idle between two checks of the dispatcher.
 *
 * The lead is what workers claim within a few checks, at a rate averaged over about a second. If a check finds the queue
 * empty, the lead is twice what was claimed since the previous check, because workers would have claimed more. It limits
 * both shards, which workers claim, and tokens, which determine the time they take; otherwise many small shards could be
 * followed by as many large ones.
 */
export interface Lead {
  shards: number;
  tokens: number;
}

/** What all dispatchers have on the queue at a check, and what they have ever added. */
export interface QueueLook {
  /** Seconds, of any clock that never goes back. */
  now: number;
  /** Added to the queue so far. */
  added: Lead;
  /** The unclaimed part of it. */
  waiting: Lead;
}

/** What the next check needs from the previous ones. */
export interface ClaimRate {
  readonly look: QueueLook;
  /** Claimed per second. */
  readonly rate: Lead;
  /** How much of the rate's averaging time has been measured: rises from 0 to 1. */
  readonly measured: number;
  /** Seconds between two checks. */
  readonly interval: number;
  /** Shards claimed per second since the previous check. */
  readonly pace: number;
}

/** The least shards that wait for workers: the next one, and one after it. */
export const LEAST_WAITING = 2;
/** The averaging time of the rate, in seconds. */
const MEMORY = 0.5;
/** How many checks the lead must last, because the next may be late, and the least seconds. */
const LOOKS = 2;
const LEAST_SECONDS = 0.1;
/** The first claims fill idle workers and are not a rate yet: they count as those of this many seconds. */
const FIRST_SECONDS = 0.1;

/** The lead by the claims since the previous check; the first check has none. */
export function leadAfter(
  before: ClaimRate | undefined,
  look: QueueLook,
  mostShards: number,
): { lead: Lead; after: ClaimRate } {
  if (before === undefined) {
    const after = { look, rate: { shards: 0, tokens: 0 }, measured: 0, interval: 0, pace: 0 };
    return { lead: { shards: LEAST_WAITING, tokens: 1 }, after };
  }
  const seconds = Math.max(0.001, look.now - before.look.now);
  const weight = 1 - Math.exp(-seconds / MEMORY);
  const interval = before.interval + (seconds - before.interval) * weight;
  const measured = before.measured + (1 - before.measured) * weight;
  // An average that started at zero is too low until its averaging time has passed.
  const known = Math.max(measured, 1 - Math.exp(-FIRST_SECONDS / MEMORY));
  const horizon = LOOKS * interval + LEAST_SECONDS;
  const isEmpty = look.waiting.shards <= 0;
  const of = (unit: keyof Lead) => {
    const claimed = Math.max(0, claimedOf(unit, look, before.look));
    const rate = before.rate[unit] + (claimed / seconds - before.rate[unit]) * weight;
    return { rate, lead: Math.max((horizon * rate) / known, isEmpty ? 2 * claimed : 0) };
  };
  const [shards, tokens] = [of('shards'), of('tokens')];
  const pace = Math.max(0, claimedOf('shards', look, before.look)) / seconds;
  const most = Math.max(LEAST_WAITING, mostShards);
  return {
    lead: {
      shards: Math.min(most, Math.max(LEAST_WAITING, Math.ceil(shards.lead))),
      tokens: Math.max(1, tokens.lead),
    },
    after: { look, rate: { shards: shards.rate, tokens: tokens.rate }, measured, interval, pace },
  };
}

function claimedOf(unit: keyof Lead, look: QueueLook, before: QueueLook): number {
  return look.added[unit] - before.added[unit] - (look.waiting[unit] - before.waiting[unit]);
}
