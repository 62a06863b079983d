/**
 * How far the queue of a model is kept ahead of its workers: so few shards wait there that a new job hardly waits behind
 * them, and so many that no worker finds none between two looks of the dispatcher.
 *
 * The lead is what workers claim within a few looks, by a rate that is measured and forgotten within a second; where a
 * look finds the queue empty, it is twice what was claimed since the one before, as workers would have taken more. It
 * counts shards, which workers claim, and tokens, which tell how long they take: neither may be exceeded, else many
 * small shards would be followed by as many large ones.
 */
export interface Lead {
  shards: number;
  tokens: number;
}

/** What is on the queue at a look, of all dispatchers, and what was ever put there. */
export interface QueueLook {
  /** Seconds, of any clock that never goes back. */
  now: number;
  /** Put on the queue so far. */
  added: Lead;
  /** Of it, not claimed. */
  waiting: Lead;
}

/** What the next look needs to know of those before. */
export interface ClaimRate {
  readonly look: QueueLook;
  /** Claimed a second. */
  readonly rate: Lead;
  /** How much of the rate has been measured: it rises from nothing to 1 as the rate's memory fills. */
  readonly measured: number;
  /** Seconds between two looks. */
  readonly interval: number;
  /** Shards claimed a second since the look before. */
  readonly pace: number;
}

/** Shards that wait for workers in any case: one that is claimed, and one behind it. */
export const LEAST_WAITING = 2;
/** The rate forgets what is older than this, in seconds. */
const MEMORY = 0.5;
/** How many looks the lead lasts for, as the next may come late, and how many seconds in any case. */
const LOOKS = 2;
const LEAST_SECONDS = 0.1;
/** What is claimed at first is what idle workers hold, and no rate yet: it counts as that of so many seconds. */
const FIRST_SECONDS = 0.1;

/** The lead by what was claimed since the look before; its first look claims nothing. */
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
  // An average that began at nothing is too low until its memory is full.
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
